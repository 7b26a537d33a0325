"""Quality per minute: the PyTorch reference and ours on the same images for the same minutes.

    python -m benchmarks.quality.quality_per_minute facades --out runs/race --seeds 11 12
    python -m benchmarks.quality.quality_per_minute color --minutes 8 --filters 32 --config modern
    python -m benchmarks.quality.quality_per_minute demo --minutes 8 --config modern --torch

The contenders are trained one after another, in processes of their own, and change places from seed
to seed. All read the same folder at the same sizes, with the same widths, loss weights and
learning-rate schedule. A contender's minutes are wall time from the start of its process: imports,
compiling and reading count, writing generators at the marks does not. Afterwards every kept
generator is scored on the whole test split in float32. To race on two sets of images at once, start
the program twice, each on its own cores: taskset -c 0 python ... & taskset -c 1 python ...

OUT/results.jsonl holds a line per contender, seed, mark and direction; OUT/quality.png the curves.
Started again, the program goes on with what is missing. Nothing else should run beside it.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import machine
from benchmarks.quality.race import Entry
from benchmarks.speed.jobs import CONTENDERS, REFERENCE
from cyclegan_tf import cli
from cyclegan_tf.atomic import write_text
from cyclegan_tf.config import files as config_files
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
TRAINERS = {
    "ours": ("-m", "benchmarks.peers.ours_training"),
    "torch": ("-m", "benchmarks.peers.torch_training"),
}
OURS, BASELINES = "ours", "baselines"
DEMO = "demo"


def contenders(given: argparse.Namespace) -> dict[str, dict]:
    """Name -> fields of a contender: PyTorch's, ours by the paper's recipe, ours with --config.

    Raises:
      UserError: an unknown name.
    """
    found = {}
    for name in given.torch:
        job = CONTENDERS.get(name)
        if job is None or job.framework != "torch" or job.compiled:
            known = [n for n, j in CONTENDERS.items() if j.framework == "torch" and not j.compiled]
            message = f"--torch {name}: known are {', '.join(known)}."
            raise UserError(message, code="unknown", field="--torch")
        found[name] = {
            "framework": "torch",
            "precision": job.precision,
            "layout": job.layout,
            "config": None,
        }
    ours = {"framework": "ours", "precision": given.precision, "layout": "nhwc", "ema": given.ema}
    found[OURS] = {**ours, "config": None}
    for config in given.config:
        path = config_files.find_config(config)
        found[f"{OURS}, {path.stem}"] = {**ours, "config": str(path.resolve())}
    return found


def planned(given: argparse.Namespace) -> list[Entry]:
    """All trainings in their order: seed by seed, the contenders' order turned round each time.

    Raises:
      UserError: see `contenders`; --score_at names what will be no mark.
    """
    named = contenders(given)
    entries = []
    for number, seed in enumerate(given.seeds):
        for name in list(named) if number % 2 == 0 else list(reversed(named)):
            folder = f"{name}-{seed}".replace(", ", "-")
            entries.append(
                Entry(
                    contender=name, seed=seed,
                    data=DEMO if given.data == Path(DEMO) else str(given.data.resolve()),
                    target=str((given.out / folder).resolve()), minutes=given.minutes,
                    every_minutes=given.every,
                    size_px=given.size, load_px=given.load_size, filters=given.filters,
                    blocks=given.blocks,
                    **named[name],
                )
            )  # fmt: skip
    for minute in given.score_at or ():
        if not _among(minute, entries[0].marks):
            raise UserError(
                f"--score_at {minute:g} is no mark; generators are kept every {given.every:g} "
                f"minutes.",
                field="--score_at",
            )
    return entries


def train(entry: Entry) -> None:
    """Train one entry in a process of its own; its output goes to a log beside its folder.

    Raises:
      UserError: it failed.
    """
    target = Path(entry.target)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    write_text(target / "entry.json", entry.to_json() + "\n")
    command = [sys.executable, *TRAINERS[entry.framework], entry.to_json(), repr(time.time())]
    with target.with_suffix(".log").open("wb") as log:
        status = subprocess.run(command, cwd=ROOT, stdout=log, stderr=log).returncode
    if status or not entry.finished:
        raise UserError(
            f"{target.name} ended with status {status} before its last mark; see {target}.log.",
            code="stopped",
        )


def checked(entry: Entry) -> bool:
    """Whether an entry was trained by an earlier start.

    Raises:
      UserError: its folder holds another one.
    """
    path = Path(entry.target) / "entry.json"
    if not entry.finished:
        return False
    if not path.is_file() or Entry.from_json(path.read_text(encoding="utf-8")) != entry:
        raise UserError(
            f"{entry.target} holds a training with other options; give another --out or remove it.",
            code="mismatch",
            field="--out",
        )
    return True


def score(
    entries: Sequence[Entry],
    results: Path,
    palette: Path | None,
    minutes: Sequence[float] | None = None,
) -> list[dict]:
    """Score the kept generators that the file does not know yet; return all lines.

    Args:
      entries: the trainings.
      results: a line of JSON per contender, seed and mark, written after each.
      palette: label colors of B, if it shows label maps.
      minutes: marks to score; None for all.
    """
    with suppress_startup_logs():
        from benchmarks.peers import ours_training
        from benchmarks.quality import split_scores

        experiment = ours_training.experiment_of(entries[0], 1.0)
        evaluator = split_scores.SplitEvaluator.of(experiment, palette)
    lines = _read_lines(results)
    known = {(line["contender"], line.get("seed"), line.get("minute")) for line in lines}
    if (BASELINES, None, None) not in known:
        found = {d: evaluator.baselines(d) for d in split_scores.DIRECTIONS}
        lines.append({"contender": BASELINES} | found)
    for entry in entries:
        print(f"scoring {Path(entry.target).name}", flush=True)
        for kept in entry.kept():
            if minutes is not None and not _among(kept["minute"], minutes):
                continue
            if (entry.contender, entry.seed, kept["minute"]) in known:
                continue
            for weights, generators in _kept_generators(entry, kept["minute"]).items():
                facts = {"contender": entry.contender + weights, "seed": entry.seed, **kept}
                scored = split_scores.both_directions(evaluator, generators, brief=True)
                lines.append(facts | scored)
            write_text(results, "".join(json.dumps(line) + "\n" for line in lines))
    return lines


def _read_lines(path: Path) -> list[dict]:
    if not path.is_file():
        return []
    return [json.loads(text) for text in path.read_text("utf-8").splitlines()]


def _among(minute: float, minutes: Sequence[float]) -> bool:
    return any(math.isclose(minute, other, abs_tol=1e-6) for other in minutes)


def _kept_generators(entry: Entry, minute: float) -> dict[str, dict]:
    """Generators by direction, of the raw weights and, where they are kept, of the averaged."""
    from benchmarks.peers.ours_training import AVERAGED
    from benchmarks.quality import split_scores

    if entry.framework == "torch":
        from benchmarks.peers import torch_training

        directions = split_scores.DIRECTIONS
        return {"": {d: torch_training.load_generator(entry, minute, d) for d in directions}}
    found = {}
    for name, ending in (("", ""), (", averaged", AVERAGED)):
        files = {d: entry.generator(minute, d + ending, ".keras") for d in split_scores.DIRECTIONS}
        if all(file.is_file() for file in files.values()):
            found[name] = split_scores.of_files(files)
    return found


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line.

    Raises:
      UserError: what argparse cannot know to be wrong.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    _add_trainings(parser)
    _add_contenders(parser)
    _add_scores(parser)
    given = parser.parse_args(argv)
    if given.load_size is None:
        given.load_size = round(given.size * 286 / 256)
    if given.palette is None and (given.data / "palette.json").is_file():
        given.palette = given.data / "palette.json"
    _check(given)
    return given


def _add_trainings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data", type=Path, help="folder of trainA, trainB and paired testA, testB; or demo"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/race"), help="(%(default)s)")
    parser.add_argument(
        "--minutes", type=float, default=20.0, help="of each training (%(default)g)"
    )
    parser.add_argument(
        "--every", type=float, default=1.0, metavar="MINUTES", help="between marks (%(default)g)"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12], help="(%(default)s)")
    parser.add_argument(
        "--size", type=int, default=128, help="side of the crop in px (%(default)s)"
    )
    parser.add_argument(
        "--load_size", type=int, help="side before the crop (default: 286/256 of --size)"
    )
    parser.add_argument(
        "--filters", type=int, default=64, help="width of all networks (%(default)s)"
    )
    parser.add_argument("--blocks", type=int, default=6, help="residual blocks (%(default)s)")


def _add_contenders(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--precision", choices=("auto", "float32", "bfloat16"), default="auto", help="of ours"
    )
    parser.add_argument(
        "--torch", nargs="*", default=[REFERENCE], metavar="NAME", help="(%(default)s)"
    )
    parser.add_argument(
        "--config", nargs="+", default=[], help="further lines of ours: experiment files"
    )
    parser.add_argument(
        "--ema",
        type=float,
        metavar="IMAGES",
        help="half-life of averages that ours keeps and is scored by too",
    )


def _add_scores(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--palette", type=Path, help="label colors of B (default: palette.json in DATA, if there)"
    )
    parser.add_argument(
        "--score_at", type=float, nargs="+", metavar="MINUTE", help="marks to score (default: all)"
    )
    parser.add_argument(
        "--score", help="drawn beside swd (default: pixel_accuracy with a palette, else psnr)"
    )


def _check(given: argparse.Namespace) -> None:
    for name in ("minutes", "every", "size", "filters", "blocks"):
        if getattr(given, name) <= 0:
            value = f"{getattr(given, name):g}"
            raise UserError(f"--{name} {value}: it must be above 0.", field=f"--{name}")
    if given.load_size < given.size:
        raise UserError(
            f"--load_size {given.load_size} is smaller than the crop, --size {given.size}.",
            field="--load_size",
        )
    if given.data == Path(DEMO):
        if given.torch:
            raise UserError(
                f"{DEMO}: PyTorch's trainer reads folders only; add --torch without a name.",
                code="unsupported",
                field="--torch",
            )
    elif not (given.data / "trainA").is_dir():
        raise UserError(
            f"{given.data} has no folder trainA; give a folder of trainA, trainB, testA and testB.",
            code="missing",
            field=str(given.data),
        )


def main(argv: Sequence[str]) -> int:
    """Train what is missing, score, draw."""
    given = parse(argv)
    entries = planned(given)
    given.out.mkdir(parents=True, exist_ok=True)
    write_text(given.out / "machine.json", json.dumps(machine.describe(), indent=1) + "\n")
    for number, entry in enumerate(entries, start=1):
        if not checked(entry):
            print(f"training {Path(entry.target).name} ({number} of {len(entries)})", flush=True)
            train(entry)
    lines = score(entries, given.out / "results.jsonl", given.palette, given.score_at)
    from benchmarks.quality import race_chart

    chart = given.out / "quality.png"
    race_chart.draw(lines, chart, given.score)
    print(race_chart.table(lines, given.score), end="")
    print(f"{given.out / 'results.jsonl'} and {chart}")
    return 0


if __name__ == "__main__":
    cli.run(main, sys.argv[1:])
