"""The PyTorch reference trained for a given time by the recipe of the official PyTorch code.

That is junyanz/pytorch-CycleGAN-and-pix2pix.

Networks, losses, pool and Adam are those of `torch_cyclegan`. Added here: the loader of the recipe
(two workers, all images read and resized each time) and the learning-rate schedule, constant for
100 epochs and linear to 0 over 100 more, fitted into the minutes given as ours is.

    python -m benchmarks.peers.torch_training ENTRY STARTED

ENTRY is an entry of the race as JSON, STARTED the time when the process was started.
"""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from benchmarks.peers import torch_cyclegan
from benchmarks.quality.race import Clock, Entry

RATE = 2e-4
CONSTANT_EPOCHS = DECAY_EPOCHS = 100
WORKERS = 2


def learning_rate_factor(fraction: float) -> float:
    """Factor of the learning rate at a fraction of the budget, in steps of one of 200 epochs.

    1 - max(0, e + 1 - 100) / 101 in epoch e from 0: the last epoch still learns (Zhu et al. 2017,
    sec. 4; their released code's policy "linear").
    """
    epoch = min(
        int(fraction * (CONSTANT_EPOCHS + DECAY_EPOCHS)), CONSTANT_EPOCHS + DECAY_EPOCHS - 1
    )
    return 1.0 - max(0, epoch + 1 - CONSTANT_EPOCHS) / (DECAY_EPOCHS + 1)


def batches(entry: Entry, workers: int = WORKERS) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Pairs of (1, 3, H, W) in [-1, 1] without end, shuffled anew each epoch."""
    images = torch_cyclegan.Unpaired(Path(entry.data), entry.load_px, entry.size_px)
    loader = DataLoader(
        images, batch_size=1, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    layout = torch.channels_last if entry.layout == "nhwc" else torch.contiguous_format
    for x, y in itertools.chain.from_iterable(itertools.repeat(loader)):
        yield x.contiguous(memory_format=layout), y.contiguous(memory_format=layout)


def train(entry: Entry, started: float, workers: int = WORKERS) -> int:
    """Train to the end of the budget, keep generators at every mark; return the number of steps.

    Args:
      entry: of the race.
      started: `time.time()` just before the process was started.
      workers: processes that read images.

    Raises:
      ArithmeticError: a loss is not finite.
    """
    random.seed(entry.seed)
    training = torch_cyclegan.Training(entry.job)

    def save(mark: float) -> None:
        for direction, network in zip(("xy", "yx"), training.networks[:2], strict=True):
            torch.save(network.state_dict(), entry.generator(mark, direction, ".pt"))

    clock = Clock(entry, started, save)
    for step, (real_x, real_y) in enumerate(batches(entry, workers), start=1):
        for adam in (training.adam_generators, training.adam_discriminators):
            for group in adam.param_groups:
                group["lr"] = RATE * learning_rate_factor(clock.fraction)
        terms = training.step(real_x, real_y)
        if not np.isfinite(list(terms.values())).all():
            raise ArithmeticError(f"a loss is not finite in step {step}: {terms}")
        if step % 50 == 0:
            losses = " ".join(f"{name} {value:.3f}" for name, value in terms.items())
            print(f"step {step} {clock.seconds / 60:.1f} min {losses}", flush=True)
        clock.after_step(step)
        if clock.fraction >= 1:
            return step
    raise AssertionError("the images never end")


def load_generator(
    entry: Entry, minute: float, direction: str
) -> Callable[[np.ndarray], np.ndarray]:
    """Load a kept generator in float32: float32 (1, H, W, 3) in [-1, 1] -> the same.

    Args:
      entry: of the race.
      minute: its mark.
      direction: "xy" or "yx".
    """
    network = torch_cyclegan.generator(entry.filters, entry.blocks).eval()
    network.load_state_dict(
        torch.load(entry.generator(minute, direction, ".pt"), weights_only=True)
    )

    def translate(image: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            given = torch.from_numpy(np.array(image, np.float32)).permute(0, 3, 1, 2).contiguous()
            return network(given).permute(0, 2, 3, 1).contiguous().numpy()

    return translate


if __name__ == "__main__":
    print(f"{train(Entry.from_json(sys.argv[1]), float(sys.argv[2]))} steps")
