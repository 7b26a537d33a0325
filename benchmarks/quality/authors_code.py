"""The authors' PyTorch code at work on a tiny training, in processes of its own."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

RECORDER = Path(__file__).with_name("authors_recorder.py")
# Each state of their code is given those that it knows.
TRAINING = {
    "--n_epochs": "2", "--niter": "2", "--n_epochs_decay": "0", "--niter_decay": "0",
    "--save_epoch_freq": "2", "--display_id": "-1",
}  # fmt: skip
# PyTorch's threads wait for each other by spinning.
QUIET = {"CUDA_VISIBLE_DEVICES": "", "WANDB_MODE": "disabled", "OMP_NUM_THREADS": "1"}

Record = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """A training of theirs.

    Attributes:
      name: for the table.
      net: their --netG.
      norm: their --norm.
      size_px: side of the images.
      batch: images at once.
      options: more of their train.py.

    Example:
      >>> Case("U-Net", "unet_128", size_px=128).norm
      'instance'
    """

    name: str
    net: str = "resnet_6blocks"
    norm: str = "instance"
    size_px: int = 64
    batch: int = 1
    options: tuple[str, ...] = ()

    @property
    def is_b_to_a(self) -> bool:
        """Whether their A is trainB, our Y."""
        return "BtoA" in self.options

    def a_to_b(self) -> Case:
        """The same training with their A for our X."""
        other = {"BtoA": "AtoB", "--lambda_A": "--lambda_B", "--lambda_B": "--lambda_A"}
        if not self.is_b_to_a:
            return self
        return replace(self, options=tuple(other.get(word, word) for word in self.options))


CASES = {
    "resnet": Case("resnet"),
    "unet": Case("U-Net", "unet_128", size_px=128),
    "resnet_batch": Case("resnet, batch norm", norm="batch", batch=2),
    "unet_batch": Case(
        "U-Net, batch norm, vanilla", "unet_128", "batch", 128, 2,
        ("--gan_mode", "vanilla", "--lambda_B", "6", "--lambda_identity", "0.3"),
    ),
    "resnet_b_to_a": Case(
        "resnet, BtoA", options=("--direction", "BtoA", "--lambda_A", "7", "--beta1", "0.4")
    ),
}  # fmt: skip


class Theirs:
    """Their code on the images of one folder.

    Args:
      code: their checkout.
      python: that runs it.
      images: with trainA, trainB, testA and testB.
      work: for files; `work`/NAME holds the networks of the training NAME.
      case: decides the options.

    Example:
      >>> theirs = Theirs(code, "python3", images, Path("runs/authors/unet"), CASES["unet"])
      >>> theirs.train("there")["0/loss_G_A"]
      array(0.66)
    """

    def __init__(self, code: Path, python: str, images: Path, work: Path, case: Case) -> None:
        self._code, self._python, self._case = code.absolute(), python, case
        self._images, self._work = images.absolute(), work.absolute()
        options = "".join(p.read_text(encoding="utf-8") for p in code.glob("options/*.py"))
        self._known = set(re.findall(r"--\w+", options))

    def train(self, name: str, *more: str) -> Record:
        """Run train.py; return the record of its first steps."""
        case = self._case
        words = ["--no_html", "--batch_size", str(case.batch), "--load_size", str(case.size_px + 8)]
        for option, value in TRAINING.items():
            words += [option, value] if option in self._known else []
        return self._run("train.py", name, [*words, "--ndf", "8", *case.options, *more])

    def test(self, name: str) -> Record:
        """Run test.py, with the running statistics of batch norm; return the record of images."""
        words = ["--load_size", str(self._case.size_px)]
        words += ["--results_dir", str(self._work / "results")]
        words += ["--direction", "BtoA"] * self._case.is_b_to_a
        return self._run("test.py", name, [*words, *["--eval"] * (self._case.norm == "batch")])

    def _run(self, script: str, name: str, words: Sequence[str]) -> Record:
        case, record = self._case, self._work / f"{name}_{script}.npz"
        record.unlink(missing_ok=True)
        command = [
            self._python, str(RECORDER), str(record), script, "--dataroot", str(self._images),
            "--checkpoints_dir", str(self._work), "--name", name, "--model", "cycle_gan",
            "--netG", case.net, "--norm", case.norm, "--ngf", "8",
            "--crop_size", str(case.size_px), "--num_threads", "0",
            *["--gpu_ids", "-1"] * ("--gpu_ids" in self._known), *words,
        ]  # fmt: skip
        log = self._work / f"{name}_{script}.log"
        with log.open("w") as output:
            status = subprocess.run(
                command, cwd=self._code, stdout=output, stderr=subprocess.STDOUT, check=False,
                env={**os.environ, **QUIET},
            ).returncode  # fmt: skip
        if status:
            raise RuntimeError(f"their {script} ended with {status}, see {log}")
        with np.load(record) as arrays:
            return dict(arrays)
