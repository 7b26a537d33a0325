"""How fast this machine multiplies matrices, in convolutions and as a plain product.

The best rate of both frameworks is the matrix rate: the speed a perfect step would have.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.speed.jobs import Job

SIDES = (64, 32)
SIDE_OF_MATRIX = 2048
REPEATS = 9
MIN_SECONDS = 0.02  # of one timing, so that the clock and the call weigh nothing


def measure(job: Job) -> dict[str, dict[str, float]]:
    """Operation -> dtype -> GFLOP/s, of the job's framework.

    `job.filters` * 4 is the width of the convolutions.
    """
    operations = _torch_operations if job.framework == "torch" else _tensorflow_operations
    rates: dict[str, dict[str, float]] = {}
    for dtype in ("float32", "bfloat16"):
        for name, flops, run in operations(
            dtype, 4 * job.filters, min(SIDE_OF_MATRIX, 32 * job.filters)
        ):
            rates.setdefault(name, {})[dtype] = flops / _seconds(run) / 1e9
    return rates


def best(rates: dict[str, dict[str, dict[str, float]]]) -> dict[str, dict]:
    """Dtype -> {"gflops", "by"}: the fastest of framework -> operation -> dtype -> GFLOP/s."""
    found: dict[str, dict] = {}
    for framework, operations in rates.items():
        for operation, by_dtype in operations.items():
            for dtype, rate in by_dtype.items():
                if rate > found.get(dtype, {"gflops": 0.0})["gflops"]:
                    found[dtype] = {"gflops": rate, "by": f"{framework}, {operation}"}
    return found


def _seconds(run: Callable[[], object]) -> float:
    """Median time of one call."""
    run()
    start = time.perf_counter()
    run()
    calls = max(1, int(MIN_SECONDS / max(time.perf_counter() - start, 1e-9)))
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        for _ in range(calls):
            run()
        times.append((time.perf_counter() - start) / calls)
    return statistics.median(times)


Operation = tuple[str, int, Callable[[], object]]


def _tensorflow_operations(dtype: str, width: int, side_of_matrix: int) -> Iterator[Operation]:
    import cyclegan_tf  # noqa: F401  # sets TensorFlow's environment

    import tensorflow as tf  # isort: skip

    def made(*shape: int) -> tf.Tensor:
        return tf.cast(tf.random.normal(shape), dtype)

    def compiled(function: Callable[[], tf.Tensor]) -> Callable[[], object]:
        # A graph run for its side effect alone would be left out, so one number comes back.
        graph = tf.function(lambda: tf.reshape(function(), [-1])[0], autograph=False)
        return lambda: graph().numpy()

    options = {"strides": [1, 1, 1, 1], "padding": "SAME"}
    for side in SIDES:
        x, kernel = tf.Variable(made(1, side, side, width)), tf.Variable(made(3, 3, width, width))
        flops = 2 * side**2 * 9 * width**2
        shapes = tf.shape(x), tf.shape(kernel)
        runs = {
            "forward": partial(tf.nn.conv2d, x, kernel, **options),
            "gradient of the input": partial(
                tf.raw_ops.Conv2DBackpropInput,
                input_sizes=shapes[0], filter=kernel, out_backprop=x, **options,
            ),
            "gradient of the kernel": partial(
                tf.raw_ops.Conv2DBackpropFilter,
                input=x, filter_sizes=shapes[1], out_backprop=x, **options,
            ),
        }  # fmt: skip
        for name, run in runs.items():
            yield f"3x3 convolution at {side}x{side}, {name}", flops, compiled(run)
    a, b = (tf.Variable(made(side_of_matrix, side_of_matrix)) for _ in range(2))
    yield "matrix product", 2 * side_of_matrix**3, compiled(lambda: tf.linalg.matmul(a, b))


def _torch_operations(dtype: str, width: int, side_of_matrix: int) -> Iterator[Operation]:
    import torch

    kind = getattr(torch, dtype)

    def convolution(x: torch.Tensor, kernel: torch.Tensor, mask: list[bool]) -> object:
        if not any(mask):
            return torch.nn.functional.conv2d(x, kernel, padding=1)
        ones, zeros = [1, 1], [0, 0]
        return torch.ops.aten.convolution_backward(
            x, x, kernel, None, ones, ones, ones, False, zeros, 1, mask
        )

    masks = {
        "forward": [False, False, False],
        "gradient of the input": [True, False, False],
        "gradient of the kernel": [False, True, False],
    }
    for side in SIDES:
        flops = 2 * side**2 * 9 * width**2
        for layout, memory_format in (
            ("nchw", torch.contiguous_format),
            ("nhwc", torch.channels_last),
        ):
            x, kernel = (
                torch.randn(shape).to(kind).to(memory_format=memory_format)
                for shape in ((1, width, side, side), (width, width, 3, 3))
            )
            for name, mask in masks.items():
                run = partial(convolution, x, kernel, mask)
                yield f"3x3 convolution at {side}x{side}, {name}, {layout}", flops, run
    a, b = (torch.randn(side_of_matrix, side_of_matrix).to(kind) for _ in range(2))
    yield "matrix product", 2 * side_of_matrix**3, lambda: a @ b
