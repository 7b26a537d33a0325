"""The PyTorch reference trained with many seeds at once on one GPU, in a given number of steps.

Networks, losses and the order of a step are those of `torch_cyclegan`. What differs is how the
device is kept busy: images, pools and rates lie on it, and a step after the first few is a CUDA
graph, replayed by each training on a stream of its own. On a CPU the same steps run one by one,
which is what the tests compare with `torch_cyclegan`.
"""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jobs import Job
from torch import nn

from peers import torch_cyclegan, torch_training

EAGER_STEPS = 3  # before the graph is recorded: they create Adam's state and choose kernels
IMAGES_AT_ONCE = 20
EMA_RAMPUP = 0.05  # of the half-life of averages; see cyclegan_tf.averaging


class FloatTanh(nn.Module):
    """The last activation in float32 under every precision, as ours has it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W), unchanged in size."""
        return torch.tanh(x.float())


class DevicePool:
    """`torch_cyclegan.Pool` for one image per step, without a look at the device.

    Args:
      rng: of the draws, which are made on the host before each step.
      shape: of an image, (C, H, W).
      device: where the images lie.
      size: of the pool.
    """

    def __init__(
        self, rng: random.Random, shape: tuple[int, ...], device: str, size: int = 50
    ) -> None:
        self._rng, self._size, self._held = rng, size, 0
        self.images = torch.zeros((size, *shape), device=device)
        self._place = torch.zeros(1, dtype=torch.long, device=device)
        self._shows_old, self._takes_new = (
            torch.zeros(1, dtype=torch.bool, device=device) for _ in range(2)
        )

    def draw(self) -> None:
        """Decides what the next exchange does."""
        filling = self._held < self._size
        old = not filling and self._rng.random() > 0.5
        self._place.fill_(self._held if filling else self._rng.randrange(self._size) if old else 0)
        self._shows_old.fill_(old)
        self._takes_new.fill_(filling or old)
        self._held += filling

    def exchange(self, fakes: torch.Tensor) -> torch.Tensor:
        """Takes (1, C, H, W) and returns one to show."""
        new = fakes.detach().float()
        old = self.images.index_select(0, self._place)
        self.images.index_copy_(0, self._place, torch.where(self._takes_new, new, old))
        return torch.where(self._shows_old, old, new)


class ImageList:
    """The training images of both domains on the device, at the size before the crop.

    Args:
      folder: holds trainA and trainB.
      load_px: side that images are brought to.
      device: where they lie, as uint8 (N, 3, load_px, load_px).
    """

    def __init__(self, folder: Path, load_px: int, device: str) -> None:
        self.load_px = load_px
        self.domains = [
            torch.from_numpy(
                np.stack([np.array(torch_cyclegan.loaded(path,
                load_px)) for path in sorted((folder / name).iterdir())])
            ).permute(0, 3, 1, 2).contiguous().to(device)
            for name in ("trainA", "trainB")
        ]  # fmt: skip


class Seeded:
    """One training among several.

    Args:
      job: widths, precision, seed and side of the crop.
      images: what it is trained on.
      steps: to its end, over which the rate takes its course.
      half_life: of the generators' moving averages, in images.
      device: "cuda" or "cpu".
      upsampling: of the generators, see `torch_cyclegan.generator`.
    """

    def __init__(
        self,
        job: Job,
        images: ImageList,
        steps: int,
        half_life: float,
        device: str,
        upsampling: str = "transposed",
    ) -> None:
        self.training = torch_cyclegan.Training(job, device, upsampling)
        self.step, self.steps = 0, steps
        self._images, self._crop, self._half_life = images, job.size_px, half_life
        self._rng = random.Random(job.seed)
        self._order: list[int] = []
        self._stream = torch.cuda.Stream() if device == "cuda" else None
        self._graph: torch.cuda.CUDAGraph | None = None
        self.generators = self.training.networks[:2]
        if job.precision == "bfloat16":
            for generator in self.generators:
                generator[-1] = FloatTanh()
        shape = (3, self._crop, self._crop)
        self.training.pools = {name: DevicePool(self._rng, shape, device) for name in "xy"}
        self._batch = [torch.zeros((1, *shape), device=device) for _ in range(2)]
        self._rate, self._share = torch.tensor(0.0, device=device), torch.tensor(0.0, device=device)
        options = {
            "lr": self._rate,
            "betas": (0.5, 0.999),
            "eps": 1e-8,
            "fused": True,
            "capturable": device == "cuda",
        }
        self.training.adam_generators = torch.optim.Adam(self._weights(), **options)
        judges = [p for judge in self.training.networks[2:] for p in judge.parameters()]
        self.training.adam_discriminators = torch.optim.Adam(judges, **options)
        self._averages = [p.detach().clone() for p in self._weights()]
        self.terms: dict[str, torch.Tensor] = {}
        if self._stream is not None:
            torch.cuda.synchronize()  # what was made so far was made on another stream

    def advance(self) -> None:
        """One step, put in the device's queue."""
        with self._on_stream():
            self._feed()
            if self._stream is not None and self.step >= EAGER_STEPS:
                if self._graph is None:
                    self._record()
                self._graph.replay()
            else:
                self._update()
        self.step += 1

    def translated(self, images: np.ndarray, direction: int, averaged: bool) -> np.ndarray:
        """float32 (N, H, W, 3) in [-1, 1] -> the same by G (0) or F (1), in float32, with the
        weights as they are."""
        network, outputs = self.generators[direction], []
        with self._on_stream(), torch.no_grad(), self._with_averages(averaged):
            for start in range(0, len(images), IMAGES_AT_ONCE):
                part = torch.from_numpy(images[start : start + IMAGES_AT_ONCE]).to(
                    self._rate.device
                )
                outputs.append(
                    network(part.permute(0, 3, 1, 2).contiguous()).permute(0, 2, 3, 1).cpu().numpy()
                )
        return np.concatenate(outputs)

    def losses(self) -> dict[str, float]:
        """Of the last step.

        Raises:
          ArithmeticError: one is not finite.
        """
        with self._on_stream():
            terms = {name: value.item() for name, value in self.terms.items()}
        if not np.isfinite(list(terms.values())).all():
            raise ArithmeticError(f"a loss is not finite in step {self.step}: {terms}")
        return terms

    def _weights(self) -> list[nn.Parameter]:
        return [p for generator in self.generators for p in generator.parameters()]

    def _on_stream(self) -> contextlib.AbstractContextManager:
        return contextlib.nullcontext() if self._stream is None else torch.cuda.stream(self._stream)

    def _feed(self) -> None:
        """All that differs from step to step: images, the pools' draws, the rate, the averages'
        pace."""
        first, second = self._images.domains
        if not self._order:
            self._order = self._rng.sample(range(len(first)), len(first))
        chosen = first[self._order.pop()], second[self._rng.randrange(len(second))]
        for target, image in zip(self._batch, chosen, strict=True):
            target.copy_(self._augmented(image)).div_(127.5).sub_(1.0)
        for pool in self.training.pools.values():
            pool.draw()
        self._rate.fill_(
            torch_training.RATE * torch_training.learning_rate_factor(self.step / self.steps)
        )
        half_life = min(self._half_life, EMA_RAMPUP * (self.step + 1))
        self._share.fill_(-math.expm1(-math.log(2) / half_life))

    def _augmented(self, image: torch.Tensor) -> torch.Tensor:
        room = self._images.load_px - self._crop
        left, top = self._rng.randint(0, room), self._rng.randint(0, room)
        cut = image[:, top : top + self._crop, left : left + self._crop]
        return cut.flip(-1) if self._rng.random() > 0.5 else cut

    def _update(self) -> None:
        self.terms = self.training.update(*self._batch)
        with torch.no_grad():
            apart = torch._foreach_sub(self._weights(), self._averages)
            torch._foreach_mul_(
                apart, self._share
            )  # a tensor: the graph reads it anew in each step
            torch._foreach_add_(self._averages, apart)

    def _record(self) -> None:
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, stream=self._stream, capture_error_mode="thread_local"):
            self._update()

    @contextlib.contextmanager
    def _with_averages(self, averaged: bool) -> Iterator[None]:
        """In place, since the graph knows the weights by where they lie."""
        if not averaged:
            yield
            return
        weights = [p.detach() for p in self._weights()]
        own = [w.clone() for w in weights]
        torch._foreach_copy_(weights, self._averages)
        try:
            yield
        finally:
            torch._foreach_copy_(weights, own)
