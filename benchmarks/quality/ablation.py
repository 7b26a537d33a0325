"""The paper's ablation (tables 4 and 5, fig. 9) and our own variants, sized for two CPU cores.

    python -m benchmarks.quality.ablation --set demo --out runs/ablation --lanes 2
    python -m benchmarks.quality.ablation --set facades --data facades --out runs/ablation
    python -m benchmarks.quality.ablation --set color --data color_set --out runs/ablation
    python -m benchmarks.quality.ablation --set demo --out runs/ablation --score_only

`color_change` makes the images of the set color; --score_only shows what is finished so far.

Every training is `python -m cyclegan_tf.train` in a process of its own, in OUT/SET/NAME-SEED, with
its output in a log beside it. The program can be stopped and started at any time: what is finished
is not trained again, an unfinished run resumes from its newest checkpoint, and what --results holds
already is left alone, also where its run is gone.
Finished runs are scored on the whole test split, by the weights of the last step; a line of JSON
for each goes to OUT/SET.jsonl, the tables to OUT/SET.md.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.quality import ablation_table
from benchmarks.quality.ablation_variants import SEEDS, SETS, STEPS, Variant
from cyclegan_tf import cli
from cyclegan_tf.atomic import write_text
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError
from cyclegan_tf.runs.run_directory import RunDirectory

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Run:
    """One training.

    Example:
      >>> run = planned(parse(["--set", "demo"]))[0]
      >>> run.finished or run.train(core=None)

    Attributes:
      variant: what.
      seed: which chance.
      path: its run directory; two variants may share one.
      words: of the training command.
    """

    variant: Variant
    seed: int
    path: Path
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """As in results: SET/NAME-SEED."""
        return f"{self.path.parent.name}/{self.variant.name}-{self.seed}"

    @property
    def description(self) -> str:
        """The command's arguments, a folder of this machine by its name only.

        Results are for everyone.
        """
        return " ".join(Path(w).name if Path(w).is_absolute() else w for w in self.words)

    @property
    def finished(self) -> bool:
        """Whether the training came to its end: its last act is to save this file."""
        return (self.path / "generator_yx.keras").is_file()

    def train(self, core: int | None) -> int:
        """Runs the command to its end, on one core if one is given; returns its exit status."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        program = [sys.executable, "-m", "cyclegan_tf.train"]
        command = [*program, "--run_dir", str(self.path), *self.words]
        with self.path.with_name(f"{self.path.name}.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
            if core is not None:
                os.sched_setaffinity(
                    process.pid, {core}
                )  # before it makes its threads, which inherit it
            return process.wait()


def planned(arguments: argparse.Namespace) -> list[Run]:
    """All runs of the set, seed by seed.

    Raises:
      UserError: --only names no variant of the set.
    """
    variants = {variant.name: variant for variant in SETS[arguments.set]}
    if unknown := set(arguments.only or ()) - set(variants):
        raise UserError(
            f"--only {' '.join(sorted(unknown))}: the set {arguments.set} has "
            f"{', '.join(variants)}.",
            code="unknown",
            field="--only",
        )
    data = str(arguments.data.resolve()) if arguments.data else None
    folder = arguments.out.resolve() / arguments.set
    return [
        Run(
            variant,
            seed,
            folder / f"{variant.trained_as or name}-{seed}",
            tuple(variant.command(data, arguments.steps, seed)),
        )
        for seed in arguments.seeds
        for name, variant in variants.items()
        if not arguments.only or name in arguments.only
    ]


def train_missing(runs: Sequence[Run], lanes: int) -> None:
    """Train what is not finished, `lanes` at a time, each on a core of its own if several."""
    waiting: queue.SimpleQueue[Run] = queue.SimpleQueue()
    for run in {run.path: run for run in runs if not run.finished}.values():
        waiting.put(run)
    cores = (
        sorted(os.sched_getaffinity(0)) if lanes > 1 and hasattr(os, "sched_getaffinity") else []
    )

    def work(lane: int) -> None:
        while True:
            try:
                run = waiting.get_nowait()
            except queue.Empty:
                return
            say(f"training {run.name} ({waiting.qsize()} more wait)")
            if status := run.train(cores[lane % len(cores)] if cores else None):
                say(f"{run.name} ended with status {status}; see {run.path}.log")

    threads = [threading.Thread(target=work, args=(lane,), daemon=True) for lane in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def score_finished(runs: Sequence[Run], results: Path, palette: Path | None) -> list[dict]:
    """Score what is finished and not yet in the file; return all lines.

    Args:
      runs: those of the set.
      results: a line of JSON per run, written after each.
      palette: label colors of Y, if it shows label maps.
    """
    lines = read_lines(results)
    known = {line["run"] for line in lines}
    fresh = [run for run in runs if run.finished and run.name not in known]
    if fresh:
        # TensorFlow takes seconds to import, and there may be nothing to score.
        with suppress_startup_logs():
            from benchmarks.quality import split_scores

            experiment = RunDirectory(fresh[0].path).experiment()
            evaluator = split_scores.SplitEvaluator.of(experiment, palette)
        name = f"{fresh[0].path.parent.name}/{ablation_table.BASELINES}"
        if name not in known:
            found = {d: evaluator.baselines(d) for d in split_scores.DIRECTIONS}
            lines.append({"run": name} | found)
        for run in fresh:
            say(f"scoring {run.name}")
            variant = run.variant
            facts: dict[str, Any] = {"run": run.name, "name": variant.name, "title": variant.title}
            try:
                translate = split_scores.of_run(run.path, variant.averaged)
                scored = split_scores.both_directions(evaluator, translate)
            except UserError as error:
                say(f"{run.name} is not scored: {error}")
                continue
            facts |= {"seed": run.seed, **length_of(run.path), "command": run.description}
            lines.append(facts | scored)
            write_lines(results, lines)
    return lines


def length_of(path: Path) -> dict[str, float]:
    """Steps and minutes of training of a finished run, as its newest checkpoint tells."""
    from cyclegan_tf.runs import checkpoints

    state = checkpoints.read_state(checkpoints.list_checkpoints(RunDirectory(path).checkpoints)[0])
    return {"steps": state["step"], "minutes": round(state["seconds"] / 60, 2)}


def read_lines(path: Path) -> list[dict]:
    """The lines of an earlier start; none where there is no file."""
    return (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        if path.is_file()
        else []
    )


def write_lines(path: Path, lines: Sequence[dict]) -> None:
    """Write all lines, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "".join(json.dumps(line) + "\n" for line in lines))


def say(text: str) -> None:
    """Print a line of progress."""
    print(text, flush=True)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line.

    Raises:
      UserError: what argparse cannot know to be wrong.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", choices=SETS, required=True, help="what to train on")
    parser.add_argument(
        "--data", type=Path, help="folder of trainA, trainB, testA, testB; needed for all but demo"
    )
    parser.add_argument(
        "--palette", type=Path, help="label colors of B (default: palette.json in --data, if there)"
    )
    parser.add_argument(
        "--seeds", type=int, nargs="+", help="(default: 0 for facades, 0 1 2 for the others)"
    )
    parser.add_argument(
        "--steps", type=int, help="at batch 1 (default: 1000 for facades, 600 for the others)"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="some of the set's variants")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"), help="(%(default)s)")
    parser.add_argument("--lanes", type=int, default=1, help="trainings at a time (%(default)s)")
    parser.add_argument(
        "--results", type=Path, help="a line of JSON per run (default: OUT/SET.jsonl)"
    )
    parser.add_argument(
        "--score_only", action="store_true", help="train nothing, score what is finished"
    )
    given = parser.parse_args(argv)
    if given.set != "demo" and given.data is None:
        raise UserError(
            f"--set {given.set} needs --data: the folder that holds its trainA, trainB, testA and "
            f"testB.",
            code="missing",
            field="--data",
        )
    if given.set == "demo" and given.data is not None:
        raise UserError("--set demo draws its own images; leave --data out.", field="--data")
    for name, least in (("steps", 4), ("lanes", 1)):
        if (value := getattr(given, name)) is not None and value < least:
            raise UserError(f"--{name} {value}: {least} is the least.", field=f"--{name}")
    given.seeds = given.seeds or SEEDS[given.set]
    given.steps = given.steps or STEPS[given.set]
    given.results = given.results or given.out / f"{given.set}.jsonl"
    if given.palette is None and given.data is not None and (given.data / "palette.json").is_file():
        given.palette = given.data / "palette.json"
    return given


def main(argv: Sequence[str]) -> int:
    """Trains what is missing, scores what is finished, prints and writes the tables."""
    arguments = parse(argv)
    runs = planned(arguments)
    known = {line["run"] for line in read_lines(arguments.results)}
    if not arguments.score_only:
        train_missing([run for run in runs if run.name not in known], arguments.lanes)
    lines = score_finished(runs, arguments.results, arguments.palette)
    text = ablation_table.markdown(arguments.set, lines, [v.name for v in SETS[arguments.set]])
    table = arguments.results.with_suffix(".md")
    table.parent.mkdir(parents=True, exist_ok=True)
    write_text(table, text)
    say(f"{text}\n{arguments.results} and {table}")
    scored = {line["run"] for line in lines}
    missing = [run.name for run in runs if run.name not in scored]
    if missing:
        say(f"missing: {', '.join(missing)}")
    return 0 if arguments.score_only or not missing else 1


if __name__ == "__main__":
    cli.run(main, sys.argv[1:])
