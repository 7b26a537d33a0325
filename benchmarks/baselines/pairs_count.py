"""How many pairs does a training need? The same images and steps with 0, 5, 25, 100 and all pairs.

    python -m benchmarks.baselines.pairs_count demo FACADES MAPS --steps 400 --seeds 0 1 2
    python -m benchmarks.baselines.pairs_count demo FACADES MAPS --score_only

All images are trained on in every line; what changes is how many have a known partner. Sets are
"demo" or folders of trainA, trainB and paired testA and testB. One training after another, seed by
seed, as in `benchmarks.baselines.compare`, whose files these are: OUT/SET.jsonl, OUT/SET.md, and
OUT/pairs_count.png, the chart of all sets. Started again, it goes on with what is missing.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.baselines import compare, pairs_chart, table
from benchmarks.baselines.methods import Method
from benchmarks.quality.ablation import say
from cyclegan_tf import cli
from cyclegan_tf.atomic import write_text

COUNTS = ("0", "5", "25", "100", "all")
_NO_LIMIT_MINUTES = 100_000.0  # steps end a training


def contender(count: str, steps: int) -> Method:
    """Give the training that knows so many pairs.

    Args:
      count: of COUNTS.
      steps: of training.
    """
    pairs = {"0": "none", "all": "auto"}.get(count, count)
    words = f"--data.pairs {pairs} --training.max_steps {steps}"
    return Method(f"pairs{count}", f"{count} pairs", words, is_paired=True)


def planned(data: str, given: argparse.Namespace) -> list[compare.Run]:
    """All trainings of one set, seed by seed."""
    data = data if data == compare.DEMO else str(Path(data).resolve())
    folder = given.out.resolve() / Path(data).name
    return [
        compare.Run(method, seed, folder / f"{method.name}-{seed}", data, _NO_LIMIT_MINUTES)
        for seed in given.seeds
        for method in (contender(count, given.steps) for count in COUNTS)
    ]


def score(data: str, given: argparse.Namespace) -> list[dict]:
    """Score what is finished of one set and write its table; return all lines."""
    set_name = Path(data).resolve().name
    results = given.out / f"{set_name}.jsonl"
    lines = compare.score_finished(planned(data, given), compare.open_evaluator(data), results)
    methods = {method.name: method for method in (contender(c, given.steps) for c in COUNTS)}
    text = table.markdown(set_name, lines, methods)
    write_text(results.with_suffix(".md"), text)
    say(text)
    return lines


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", help="demo, or folders of images and paired tests")
    parser.add_argument("--steps", type=int, default=400, help="of each training (%(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/pairs_count"), help="(%(default)s)")
    parser.add_argument("--score_only", action="store_true", help="train nothing")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Train what is missing, score it, write tables and chart."""
    given = parse(argv)
    given.out.mkdir(parents=True, exist_ok=True)
    plans = [planned(data, given) for data in given.data]
    runs = [run for seed in given.seeds for plan in plans for run in plan if run.seed == seed]
    if not given.score_only:
        compare.train_missing(runs)
    by_set = {Path(data).resolve().name: score(data, given) for data in given.data}
    if importlib.util.find_spec("matplotlib"):
        pairs_chart.draw(by_set, given.out / "pairs_count.png")
    else:
        say("no chart: it needs matplotlib (pip install '.[bench]')")
    return 0 if all(run.finished for run in runs) else 1


if __name__ == "__main__":
    cli.run(main, sys.argv[1:])
