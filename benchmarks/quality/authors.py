"""Trainings go from the authors' PyTorch code to ours and back: same images, same losses?

    python -m benchmarks.quality.authors --code THEIR_CHECKOUT --python THEIR_PYTHON

Their code is junyanz/pytorch-CycleGAN-and-pix2pix; THEIR_PYTHON has what it needs (torch,
torchvision, dominate, wandb). It runs as it is, watched by `authors_recorder`. All is tiny and on
the CPU: 8 filters, 64 px (U-Nets 128 px), a few images drawn here. For each case:

- there: their train.py trains, `convert` makes a run of its files and train_opt.txt, and their
  `train.py --continue_train` goes on;
- back: our training goes on from that run (--init_from), `convert --to pytorch` writes its files,
  and their test.py and `train.py --continue_train` load them.

Either way our networks then get the images that theirs got. Compared are what the generators make
of them, in test.py and in the first step (largest difference, images are in [-1, 1]), and all eight
losses of the first two steps (largest relative difference). Both begin with a new Adam and an empty
pool, so the second step's losses hold the update to each other as well. Exit status: 0 where all is
within `BOUNDS`, 1 otherwise.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.quality.authors_code import CASES, Case, Record, Theirs
from benchmarks.quality.kill_test import tiny_images
from cyclegan_tf import cli

if TYPE_CHECKING:
    from cyclegan_tf.model.cyclegan import CycleGAN

# Adam's first step is the rate times the gradient's sign: one lost in rounding may step either way.
BOUNDS = {"test_images": 1e-5, "step_images": 1e-5, "first_losses": 1e-5, "second_losses": 1e-2}
THERE, ON, BACK = "there", "there_on", "back"  # their trainings by name
OUR_TRAINING = (
    "--training.max_steps=3 --training.precision=float32 --logging.sample_images=1 "
    "--logging.test_images=1 --quiet"
).split()


@dataclass(frozen=True)
class Differences:
    """How far theirs and ours lie apart; the largest of each kind.

    Example:
      >>> Differences(0.0, 2e-6, 1e-6, 1e-3).within_bounds
      True
    """

    test_images: float
    step_images: float
    first_losses: float
    second_losses: float

    @property
    def within_bounds(self) -> bool:
        """Whether each is at most its bound; NaN is not."""
        return all(value <= BOUNDS[name] for name, value in asdict(self).items())


def our_model(run: Path) -> CycleGAN:
    """The four networks of a run's last checkpoint; the optimizers and the pools are new."""
    from cyclegan_tf import assembly
    from cyclegan_tf.runs import generators, state
    from cyclegan_tf.runs.run_directory import RunDirectory

    directory = RunDirectory(run)
    model = assembly.build_model(directory.experiment())
    chosen = generators.open_checkpoint(directory, "last")
    for name in state.NETWORKS:
        named = state.network_variables(getattr(model, name), name)
        state.restore(named, chosen.arrays, chosen.path)
    return model


def images_apart(
    model: CycleGAN, record: Record, number: int, b_to_a: bool, training: bool
) -> float:
    """The largest difference of the images made in one step or test.

    Args:
      model: ours, of the same weights.
      record: of `authors_recorder`.
      number: of the step or test.
      b_to_a: whether their A is our Y.
      training: whether batch norm takes the statistics of the batch.
    """
    pair = {"A": model.generator_xy, "B": model.generator_yx}  # by the domain they take
    if b_to_a:
        pair = {"A": model.generator_yx, "B": model.generator_xy}
    found = 0.0
    for real, fake in ("AB", "BA"):
        # Each of a generator's calls gets what theirs got.
        for taken, made in ((f"real_{real}", f"fake_{fake}"), (f"fake_{fake}", f"rec_{real}")):
            ours = pair[taken[-1]](record[f"{number}/{taken}"], training=training)
            found = max(found, float(np.abs(np.asarray(ours) - record[f"{number}/{made}"]).max()))
    return found


def our_losses(model: CycleGAN, record: Record, number: int, b_to_a: bool) -> dict[str, float]:
    """Take a step on the images of theirs; the eight losses by their names, weighted as there."""
    from cyclegan_tf.model.loss_weights import DISCRIMINATOR_LOSS_WEIGHT

    a, b = "yx" if b_to_a else "xy"
    images = {
        domain: record[f"{number}/real_{letter}"]
        for letter, domain in zip("AB", (a, b), strict=True)
    }
    for metric in model.metrics:
        metric.reset_state()
    terms = model.train_step((images["x"], images["y"]))
    ours = {
        "G_A": f"adversarial_{b}", "D_A": f"discriminator_{b}",
        "cycle_A": f"cycle_{a}", "idt_A": f"identity_{b}",
        "G_B": f"adversarial_{a}", "D_B": f"discriminator_{a}",
        "cycle_B": f"cycle_{b}", "idt_B": f"identity_{a}",
    }  # fmt: skip
    weights = model.loss_weights
    return {
        theirs: float(terms[name]) * weights.get(name, DISCRIMINATOR_LOSS_WEIGHT)
        for theirs, name in ours.items()
    }


def losses_apart(ours: Mapping[str, float], record: Record, number: int) -> float:
    """The largest relative difference of a step's losses."""
    theirs = {name: float(record[f"{number}/loss_{name}"]) for name in ours}
    return max(abs(ours[name] - value) / abs(value) for name, value in theirs.items())


def compare(run: Path, tested: Record, trained: Record, case: Case) -> Differences:
    """Compare a run of ours with what theirs did with the same weights.

    Args:
      run: ours.
      tested: record of their test.py.
      trained: record of their train.py --continue_train.
      case: says which of our domains their A is.
    """
    model, b_to_a = our_model(run), case.is_b_to_a
    numbers = {name.split("/")[0] for name in tested}
    in_tests = max(images_apart(model, tested, int(n), b_to_a, training=False) for n in numbers)
    in_step = images_apart(model, trained, 0, b_to_a, training=True)
    losses = [
        losses_apart(our_losses(model, trained, number, b_to_a), trained, number)
        for number in (0, 1)
    ]
    return Differences(in_tests, in_step, *losses)


def went_on(theirs: Theirs, folder: Path) -> Record:
    """Go on with the networks in a folder by train.py --continue_train; return its record.

    Raises:
      RuntimeError: it did not write all four networks anew.
    """
    before = {path: path.read_bytes() for path in folder.glob("latest_net_*.pth")}
    record = theirs.train(folder.name, "--continue_train")
    if len(before) != 4 or any(path.read_bytes() == old for path, old in before.items()):
        raise RuntimeError(f"their training did not go on in {folder}")
    return record


def there(theirs: Theirs, case: Case, images: Path, work: Path) -> Differences:
    """Their training becomes work/run."""
    from cyclegan_tf.convert import command

    theirs.train(THERE)
    shutil.copytree(work / THERE, work / ON)
    command.main([f"{work / THERE}", f"{work / 'run'}", f"--data.source={images}", "--quiet"])
    return compare(work / "run", theirs.test(THERE), went_on(theirs, work / ON), case)


def back(theirs: Theirs, case: Case, work: Path) -> Differences:
    """A training of ours, which begins with work/run, becomes theirs."""
    from cyclegan_tf.convert import command as convert
    from cyclegan_tf.train import command as train

    run = work / "trained"
    words = [f"--config={work / 'run' / 'config.yaml'}", f"--init_from={work / 'run'}"]
    train.main([*words, f"--run_dir={run}", *OUR_TRAINING])
    convert.main([f"{run}", f"{work / BACK}", "--to=pytorch", "--quiet"])
    return compare(run, theirs.test(BACK), went_on(theirs, work / BACK), case)


def there_and_back(code: Path, python: str, work: Path, case: Case) -> Iterator[Differences]:
    """Send one case either way; yield the differences there, then back."""
    work.mkdir(parents=True)
    images = tiny_images(work / "images")
    yield there(Theirs(code, python, images, work, case), case, images, work)
    # What is written for them is AtoB, their A is our X.
    case = case.a_to_b()
    yield back(Theirs(code, python, images, work, case), case, work)


def row(name: str, direction: str, found: Differences) -> str:
    """Of the table."""
    cells = [f"{value:.1e}" for value in asdict(found).values()]
    return f"| {' | '.join([name, direction, *cells, 'yes'])} |"


HEAD = """\
| network | direction | images of test.py | images of the step | losses | losses after an update | \
--continue_train |
|---|---|---|---|---|---|---|"""


def main(argv: Sequence[str]) -> int:
    """Send all cases there and back, print the table; return 1 where a bound is passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--code", type=Path, required=True, help="their checkout")
    parser.add_argument("--python", default=sys.executable, help="that runs it (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="a new folder for what is written")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=[*CASES])
    given = parser.parse_args(argv)
    print(HEAD, flush=True)
    found = []
    for name in given.cases:
        case = CASES[name]
        made = there_and_back(given.code, given.python, given.out.absolute() / name, case)
        for direction, differences in zip(("there", "back"), made, strict=True):
            print(row(case.name, direction, differences), flush=True)
            found.append(differences)
    return 0 if all(differences.within_bounds for differences in found) else 1


if __name__ == "__main__":
    cli.run(main, sys.argv[1:])
