"""Runs a script of the authors' PyTorch code as it is, and keeps what its model saw and gave.

    cd THEIR_CHECKOUT; THEIR_PYTHON authors_recorder.py RECORD.npz train.py OPTIONS OF TRAIN.PY

`benchmarks.quality.authors` starts it. It needs their packages only, nothing of ours. Of the first
steps (train.py) and all images (test.py) the record holds, as "number/name", every image of the
model by its name there, float32 (N, H, W, C) in [-1, 1], and every loss as "number/loss_NAME".
"""

from __future__ import annotations

import importlib
import os
import random
import runpy
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

STEPS = 2
SEED = 3
# What their model calls its images, in a training and in a test.
IMAGES = ("real_A", "real_B", "fake_A", "fake_B", "rec_A", "rec_B")


def record_call(method: Callable[[Any], Any], found: dict[str, Any], limit: int) -> Callable:
    """Wrap a method of their model: after each of the first calls, keep its images and losses.

    Args:
      method: takes the model alone.
      found: to fill.
      limit: calls to keep.
    """
    calls = 0

    def recorded(model: Any) -> Any:
        nonlocal calls
        result = method(model)
        if calls < limit:
            for name in IMAGES:
                image = getattr(model, name).detach().cpu().numpy()
                found[f"{calls}/{name}"] = image.transpose(0, 2, 3, 1).copy()
            losses = model.get_current_losses() if model.isTrain else {}
            found.update({f"{calls}/loss_{name}": value for name, value in losses.items()})
        calls += 1
        return result

    return recorded


def main(argv: list[str]) -> None:
    """Run the script in this process; write the record where it comes to its end."""
    record, script, *options = argv
    sys.path.insert(0, os.getcwd())
    sys.argv = [script, *options]
    model = importlib.import_module("models.cycle_gan_model").CycleGANModel
    random.seed(SEED)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(SEED)
    found: dict[str, Any] = {}
    for method, limit in (("optimize_parameters", STEPS), ("test", sys.maxsize)):
        setattr(model, method, record_call(getattr(model, method), found, limit))
    runpy.run_path(script, run_name="__main__")
    np.savez(record, **found)


if __name__ == "__main__":
    main(sys.argv[1:])
