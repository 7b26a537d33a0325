"""CycleGAN beside BiGAN, CoGAN, SimGAN and pix2pix: the same images, minutes, size and scores.

    python -m benchmarks.baselines.compare demo --minutes 3 --seeds 0 1 2
    python -m benchmarks.baselines.compare facades --minutes 3 --only cogan cyclegan
    python -m benchmarks.baselines.compare facades --score_only

One training after another, each in a process of its own, in OUT/SET/NAME-SEED with its output in a
log beside it; SET is the folder's name. Images are 64 px. Finished trainings are scored on the
whole test split, whose pairs are of one stem, by the weights of the last step: a line of JSON each
in OUT/SET.jsonl, the tables in OUT/SET.md, the strip in OUT/SET.png, in the layout of the paper's
tables 1 to 3 and figure 5. Where the folder holds palette.json, domain B shows label maps, and each
pixel is of the class whose color is nearest.

Every training has one thread, and its minutes are of the processor, so that other programs may run
beside it. Started again, the program goes on with what is missing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.quality.ablation import ROOT, read_lines, say, write_lines
from cyclegan_tf import cli
from cyclegan_tf.atomic import write_text
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError

with suppress_startup_logs():
    import numpy as np

    from benchmarks.baselines import table
    from benchmarks.baselines.methods import METHODS, Method
    from benchmarks.quality.split_scores import DIRECTIONS, SplitEvaluator, Translate
    from cyclegan_tf.config.experiment import Data, Experiment
    from cyclegan_tf.images import io as image_io

SIZE_PX, LOAD_PX = 64, 72
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
DEMO = "demo"
_ROWS = 2  # of each direction, in the strip


@dataclass(frozen=True)
class Run:
    """One method with one seed on one set.

    Example:
      >>> runs = planned(parse(["demo", "--only", "cogan"]))
      >>> runs[0].name
      'demo/cogan-0'

    Attributes:
      method: what.
      seed: which chance.
      path: of its folder.
      data: "demo" or a folder.
      minutes: of training.
    """

    method: Method
    seed: int
    path: Path
    data: str
    minutes: float

    @property
    def name(self) -> str:
        """As in results: SET/NAME-SEED."""
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def command(self) -> list[str]:
        """What trains it."""
        return self.method.command(self.data, self.path, self.seed, self.minutes)

    @property
    def finished(self) -> bool:
        """Whether it came to its end."""
        return self.method.finished(self.path)

    @property
    def outputs(self) -> Path:
        """Translations of the test split, for the strip."""
        return self.path.with_name(f"{self.path.name}.npz")

    def train(self) -> int:
        """Run the command to its end, on one thread; return its exit status."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name(f"{self.path.name}.log").open("ab") as log:
            return subprocess.run(
                self.command, cwd=ROOT, stdout=log, stderr=log, env=os.environ | ONE_THREAD
            ).returncode

    def facts(self) -> dict[str, Any]:
        """What stands beside its scores; a folder of this machine by its name only."""
        method, words = self.method, self.command[1:]
        shown = [Path(word).name if Path(word).is_absolute() else word for word in words]
        facts: dict[str, Any] = {"run": self.name, "name": method.name, "title": method.title}
        length = method.length(self.path)
        return {**facts, "seed": self.seed, **length, "command": " ".join(shown)}


def planned(given: argparse.Namespace, names: Sequence[str] | None = None) -> list[Run]:
    """All runs, seed by seed.

    Args:
      given: of the command line.
      names: methods in place of --only.
    """
    data = given.data if given.data == DEMO else str(Path(given.data).resolve())
    folder = given.out.resolve() / Path(data).name
    return [
        Run(METHODS[name], seed, folder / f"{name}-{seed}", data, given.minutes)
        for seed in given.seeds
        for name in names or given.only
    ]


def train_missing(runs: Sequence[Run]) -> None:
    """Train what is not finished, one after another; a failure is said and stops nothing."""
    waiting = [run for run in runs if not run.finished]
    for number, run in enumerate(waiting, start=1):
        say(f"training {run.name} ({number} of {len(waiting)})")
        if status := run.train():
            say(f"{run.name} ended with status {status}; see {run.path}.log")


def open_evaluator(data: str) -> SplitEvaluator:
    """Read the test split of a set, and its palette where there is one."""
    palette = Path(data) / "palette.json"
    images = Data(source=data, load_size_px=LOAD_PX, crop_size_px=SIZE_PX)
    experiment = Experiment(data=images)
    return SplitEvaluator.of(experiment, palette if palette.is_file() else None)


def score_finished(runs: Sequence[Run], evaluator: SplitEvaluator, results: Path) -> list[dict]:
    """Score what is finished and not yet in the file; return all lines.

    Args:
      runs: of one set.
      evaluator: of this set.
      results: a line of JSON per run, written after each.
    """
    lines = read_lines(results)
    known = {line["run"] for line in lines}
    baselines = f"{results.stem}/{table.BASELINES}"
    if baselines not in known:
        lines.append({"run": baselines} | {d: evaluator.baselines(d) for d in DIRECTIONS})
    for run in runs:
        if not run.finished or run.name in known:
            continue
        say(f"scoring {run.name}")
        try:
            lines.append(run.facts() | translate_and_score(run, evaluator))
        except UserError as error:
            say(f"{run.name} is not scored: {error}")
        write_lines(results, lines)
    return lines


def translate_and_score(run: Run, evaluator: SplitEvaluator) -> dict[str, Any]:
    """Translate the whole split in both directions, keep the outputs, score them."""
    outputs, found = {}, {}
    for direction, translate in run.method.translators(run.path).items():
        inputs = evaluator.split.inputs(direction)
        translated = translate(inputs)
        outputs[direction] = image_io.from_signed(np.stack(translated))
        found[direction] = evaluator.brief(_remembered(inputs, translated), direction)
    np.savez_compressed(run.outputs, xy=outputs["xy"], yx=outputs["yx"])
    return found


def _remembered(inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> Translate:
    """What has been translated already, as the evaluator asks for it: image by image."""
    known = {image.tobytes(): output for image, output in zip(inputs, outputs, strict=True)}
    return lambda image: known[np.asarray(image)[0].tobytes()][np.newaxis]


def draw_strip(runs: Sequence[Run], evaluator: SplitEvaluator) -> np.ndarray:
    """Input | each method | truth, some scenes of each direction, by the first seed: uint8."""
    columns = {run.method.name: run for run in reversed(runs) if run.outputs.is_file()}
    shown = [columns[name] for name in METHODS if name in columns]
    rows, titles = [], []
    for direction in DIRECTIONS:
        truths = evaluator.split.truths(direction)
        chosen = list(truths)[:: max(1, len(truths) // _ROWS)][:_ROWS]
        translated = [np.load(run.outputs)[direction] for run in shown]
        for index in chosen:
            real = image_io.from_signed(evaluator.split.inputs(direction)[index])
            truth = image_io.from_signed(truths[index])
            rows.append([real, *(outputs[index] for outputs in translated), truth])
            titles.append(f"{direction[0].upper()} to {direction[1].upper()}")
    heads = ["input", *(run.method.title for run in shown), "truth"]
    doubled = [[image.repeat(2, 0).repeat(2, 1) for image in row] for row in rows]
    return image_io.make_grid(doubled, column_titles=heads, row_titles=titles)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line.

    Raises:
      UserError: what argparse cannot know to be wrong.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "data", help="demo, or a folder of trainA, trainB and paired testA and testB"
    )
    parser.add_argument("--minutes", type=float, default=3.0, help="of each training (%(default)g)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="(%(default)s)")
    parser.add_argument(
        "--only", nargs="+", choices=METHODS, default=list(METHODS), help="(default: all)"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/methods"), help="(%(default)s)")
    parser.add_argument("--score_only", action="store_true", help="train nothing")
    given = parser.parse_args(argv)
    if not given.minutes > 0:
        raise UserError(f"--minutes {given.minutes:g}: it must be above 0.", field="--minutes")
    if given.data != DEMO and not (Path(given.data) / "trainA").is_dir():
        raise UserError(
            f"{given.data} has no folder trainA; give demo, or a folder of trainA, trainB, testA "
            "and testB.",
            code="missing",
            field=given.data,
        )
    return given


def main(argv: Sequence[str]) -> int:
    """Train what is missing, score it, write tables and strip."""
    given = parse(argv)
    runs = planned(given)
    if not given.score_only:
        train_missing(runs)
    set_name = Path(given.data).resolve().name
    results = given.out / f"{set_name}.jsonl"
    given.out.mkdir(parents=True, exist_ok=True)
    evaluator = open_evaluator(given.data)
    lines = score_finished(runs, evaluator, results)
    text = table.markdown(set_name, lines, METHODS)
    write_text(results.with_suffix(".md"), text)
    image_io.save(results.with_suffix(".png"), draw_strip(planned(given, list(METHODS)), evaluator))
    say(f"{text}\n{results}, its .md and its .png")
    return 0 if all(run.finished for run in runs) else 1


if __name__ == "__main__":
    cli.run(main, sys.argv[1:])
