"""One row of the comparison on a GPU, in a process of its own:
`python -m benchmarks.speed.gpu_worker JOB`.

Steps are made as a training makes them, without waiting for one before the next is handed over;
the clock is read when the last of a turn is done.
"""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks import machine
from benchmarks.speed.jobs import Job

WARM_UP, TURNS = 5, 3
SIDES = {"cuda": 8192, "cpu": 1024}
"""Of the matrices whose product says what the card can do."""


@dataclass(frozen=True)
class Row:
    """What one process measures.

    Attributes:
      job: networks, size, precision and device; kind "step" or "rate".
      jit: whether ours is compiled by XLA.
      steps: of a turn.
      steps_per_call: of ours.

    Example:
      >>> Row(Job("step", "torch", "bfloat16", "nhwc"), steps=20).name
      'torch-bfloat16-nhwc'
    """

    job: Job
    jit: bool = False
    steps: int = 30
    steps_per_call: int = 1

    @property
    def name(self) -> str:
        """The row's name in tables."""
        if self.job.framework == "torch":
            return self.job.name
        calls = f", {self.steps_per_call} per call" if self.steps_per_call > 1 else ""
        return f"{self.job.name}, XLA {'on' if self.jit else 'off'}{calls}"

    def to_json(self) -> str:
        """For the command line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Row:
        """Inverse of `to_json`."""
        values = json.loads(text)
        return cls(**{**values, "job": Job(**values["job"])})


Turn = Callable[[int], None]


def _ours(row: Row) -> tuple[Turn, Callable[[], int | None]]:
    from benchmarks.peers import ours  # sets TensorFlow's environment

    import tensorflow as tf  # isort: skip
    from benchmarks.speed import inputs
    from cyclegan_tf import assembly
    from cyclegan_tf.devices import hardware
    from cyclegan_tf.devices.strategy import DistributionContext
    from cyclegan_tf.train.device_steps import DeviceSteps

    job = row.job
    policy = hardware.choose_precision(job.precision)[0]
    model = assembly.build_model(ours.experiment_of(job), policy, row.jit)
    steps = DeviceSteps(model, None, DistributionContext(), row.steps_per_call)
    batch = tuple(tf.constant(images) for images in inputs.batch(job.size_px, job.batch, job.seed))

    def turn(count: int) -> None:
        same = iter([batch] * count)
        for start in range(0, count, row.steps_per_call):
            steps.run(same, min(row.steps_per_call, count - start))
        if steps.first_not_finite():
            raise ArithmeticError("a loss is not finite")

    def peak() -> int | None:
        if not hardware.has_gpu():
            return machine.most_held_bytes() or None
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]

    return turn, peak


def _torch(row: Row) -> tuple[Turn, Callable[[], int | None]]:
    import torch

    from benchmarks.peers import torch_cyclegan
    from benchmarks.speed import inputs

    job, on_gpu = row.job, row.job.device == "cuda"
    torch.backends.cudnn.benchmark = True
    # PyTorch's float32 on a GPU: convolutions in TF32, as they come, products likewise.
    torch.backends.cuda.matmul.allow_tf32 = True
    training = torch_cyclegan.Training(job)
    images = inputs.batch(job.size_px, job.batch, job.seed)
    batch = [torch_cyclegan.to_tensor(part, job).to(job.device) for part in images]

    def turn(count: int) -> None:
        terms = {}
        for _ in range(count):
            terms = training.update(*batch)
        if not all(bool(torch.isfinite(value)) for value in terms.values()):
            raise ArithmeticError("a loss is not finite")

    def peak() -> int | None:
        return torch.cuda.max_memory_allocated() if on_gpu else machine.most_held_bytes() or None

    return turn, peak


def measure(row: Row) -> dict[str, Any]:
    """Seconds of the first step (the making of all included) and per step, and bytes at most."""
    begin = time.perf_counter()
    turn, peak = (_torch if row.job.framework == "torch" else _ours)(row)
    turn(1)
    first = time.perf_counter() - begin
    turn(WARM_UP)
    seconds = []
    for _ in range(TURNS):
        start = time.perf_counter()
        turn(row.steps)
        seconds.append((time.perf_counter() - start) / row.steps)
    return {"s_first": first, "s_per_step": statistics.median(seconds), "peak_bytes": peak()}


def rate(row: Row) -> dict[str, Any]:
    """What the card can do: operations per second of a bfloat16 product, bytes per second."""
    import cyclegan_tf  # noqa: F401  # sets TensorFlow's environment

    import tensorflow as tf  # isort: skip

    side = SIDES[row.job.device]
    a = tf.cast(tf.random.normal((side, side)), tf.bfloat16)
    long = tf.zeros((16 * side**2,), tf.float32)
    product, copy = (
        tf.function(function, autograph=False) for function in (tf.linalg.matmul, lambda x: x + 1.0)
    )

    def seconds(call: Callable[[], tf.Tensor]) -> float:
        found = []
        for _ in range(4):
            start = time.perf_counter()
            for _ in range(10):
                result = call()
            tf.reshape(result, (-1,))[0].numpy()
            found.append((time.perf_counter() - start) / 10)
        return min(found)

    return {
        "flops_per_second": 2 * side**3 / seconds(lambda: product(a, a)),
        "bytes_per_second": 2 * 4 * 16 * side**2 / seconds(lambda: copy(long)),
    }


def main() -> None:
    """Measures one row; its last line of output is JSON."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    row = Row.from_json(sys.argv[1])
    try:
        found = rate(row) if row.job.kind == "rate" else measure(row)
    except Exception as error:  # whatever a framework raises is this row's result
        reason = " ".join(str(error).split())[:300]
        found = {"error": f"{type(error).__name__}: {reason}"}
    print(json.dumps(found), file=answers)


if __name__ == "__main__":
    main()
