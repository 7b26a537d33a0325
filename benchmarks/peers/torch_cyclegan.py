"""CycleGAN in plain PyTorch, as the official code (junyanz/pytorch-CycleGAN-and-pix2pix).

Six separate generator calls, discriminators frozen during the generators' step, a pool of 50
images, two Adams. Options are those a user has: memory layout, bfloat16 autocast, torch.compile.

`python -m benchmarks.peers.torch_cyclegan JOB` translates the folder of a job (as JSON).
"""

from __future__ import annotations

import contextlib
import itertools
import random
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

# See cyclegan_tf.convert.pytorch.files.require; a peer's own process has no TensorFlow.
if "tensorflow" in sys.modules:
    sys.modules.setdefault("triton", None)  # type: ignore[arg-type]
import torch
from PIL import Image
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from benchmarks.speed import inputs
from benchmarks.speed.jobs import Job

CYCLE_WEIGHT, IDENTITY_WEIGHT = 10.0, 5.0
LOAD_PX, CROP_PX = 286, 256


class FixedInstanceNorm(nn.InstanceNorm2d):
    """Instance normalization for channels last, whose gradient PyTorch 2.13 gets wrong on the CPU.

    For a single image its kernel reads a channels-last gradient as if it were contiguous: the
    losses are right, the generators' gradients have nothing to do with them. Of the remedies this
    is the cheapest; nn.GroupNorm is right too, but takes twice the time in bfloat16. torch.compile
    takes the operation apart and does not need it.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W), unchanged in size."""
        normalized = super().forward(x)
        if normalized.requires_grad:
            normalized.register_hook(torch.Tensor.contiguous)
        return normalized


Norm = Callable[[int], nn.Module]


class Residual(nn.Module):
    """R256: two convolutions with a skip connection."""

    def __init__(self, width: int, norm: Norm) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), norm(width), nn.ReLU(True),
            nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), norm(width),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, width, H, W), unchanged in size."""
        return x + self.body(x)


def generator(
    filters: int = 64,
    blocks: int = 9,
    norm: Norm = nn.InstanceNorm2d,
) -> nn.Sequential:
    """c7s1-64, d128, d256, blocks of R256, u128, u64, c7s1-3."""
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, filters, 7)]
    layers += [norm(filters), nn.ReLU(True)]
    for width in (filters, 2 * filters):
        down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        layers += [down, norm(2 * width), nn.ReLU(True)]
    layers += [Residual(4 * filters, norm) for _ in range(blocks)]
    for width in (4 * filters, 2 * filters):
        up = nn.ConvTranspose2d(width, width // 2, 3, stride=2, padding=1, output_padding=1)
        layers += [up, norm(width // 2), nn.ReLU(True)]
    layers += [nn.ReflectionPad2d(3), nn.Conv2d(filters, 3, 7), nn.Tanh()]
    return _initialized(nn.Sequential(*layers))


def discriminator(filters: int = 64, norm: Norm = nn.InstanceNorm2d) -> nn.Sequential:
    """C64-C128-C256-C512-1: the PatchGAN of 70 pixels."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, filters, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2, True),
    ]
    for width, stride in ((filters, 2), (2 * filters, 2), (4 * filters, 1)):
        conv = nn.Conv2d(width, 2 * width, 4, stride=stride, padding=1)
        layers += [conv, norm(2 * width), nn.LeakyReLU(0.2, True)]
    layers.append(nn.Conv2d(8 * filters, 1, 4, padding=1))
    return _initialized(nn.Sequential(*layers))


def _initialized(network: nn.Sequential) -> nn.Sequential:
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return network


class Pool:
    """The last 50 translations; half of the time one of them is returned."""

    def __init__(self, size: int = 50) -> None:
        self.size = size
        self.images: list[torch.Tensor] = []

    def exchange(self, fakes: torch.Tensor) -> torch.Tensor:
        """Exchange (N, C, H, W) for as many to give to the discriminator."""
        shown = []
        for fake in fakes.detach():
            new = fake.unsqueeze(0)
            if len(self.images) < self.size:
                self.images.append(new.clone())
            elif random.random() > 0.5:
                place = random.randrange(self.size)
                new, self.images[place] = self.images[place], new.clone()
            shown.append(new)
        return torch.cat(shown)


class Training:
    """Four networks and the step that updates them.

    Example:
      >>> training = Training(Job("step", "torch", layout="nchw"))
      >>> losses = training.step(real_x, real_y)
      >>> losses["cycle_x"]

    Args:
      job: widths, precision, layout and whether to compile.
    """

    def __init__(self, job: Job) -> None:
        torch.manual_seed(job.seed)
        self.job = job
        # Kept apart from what is called: torch.compile wraps a network.
        norm = FixedInstanceNorm if job.layout == "nhwc" and not job.compiled else nn.InstanceNorm2d
        self.networks = [generator(job.filters, job.blocks, norm) for _ in range(2)]
        self.networks += [discriminator(job.filters, norm) for _ in range(2)]
        for network in self.networks:
            network.to(job.device)
        self.g, self.f, self.d_x, self.d_y = (_ready(network, job) for network in self.networks)
        self.pools = {"x": Pool(), "y": Pool()}
        self.adam_generators = _adam(self.networks[:2])
        self.adam_discriminators = _adam(self.networks[2:])

    def step(self, real_x: torch.Tensor, real_y: torch.Tensor) -> dict[str, float]:
        """Update all networks; return every unweighted term."""
        return {name: value.item() for name, value in self.update(real_x, real_y).items()}

    def update(self, real_x: torch.Tensor, real_y: torch.Tensor) -> dict[str, torch.Tensor]:
        """Update the generators, then the discriminators; return the terms, not waited for."""
        for parameter in _parameters(self.networks[2:]):
            parameter.requires_grad_(False)
        with _autocast(self.job):
            fake_y, fake_x = self.g(real_x), self.f(real_y)
            terms = {
                "cycle_x": functional.l1_loss(self.f(fake_y).float(), real_x),
                "cycle_y": functional.l1_loss(self.g(fake_x).float(), real_y),
                "identity_x": functional.l1_loss(self.f(real_x).float(), real_x),
                "identity_y": functional.l1_loss(self.g(real_y).float(), real_y),
                "adversarial_x": _least_squares(self.d_x(fake_x), 1.0),
                "adversarial_y": _least_squares(self.d_y(fake_y), 1.0),
            }
            cycle, identity = (
                terms[f"{name}_x"] + terms[f"{name}_y"] for name in ("cycle", "identity")
            )
            total = (
                CYCLE_WEIGHT * cycle
                + IDENTITY_WEIGHT * identity
                + terms["adversarial_x"]
                + terms["adversarial_y"]
            )
        self.adam_generators.zero_grad()
        total.backward()
        self.adam_generators.step()

        for parameter in _parameters(self.networks[2:]):
            parameter.requires_grad_(True)
        self.adam_discriminators.zero_grad()
        for domain, discriminate, real, fake in (
            ("x", self.d_x, real_x, fake_x),
            ("y", self.d_y, real_y, fake_y),
        ):
            shown = self.pools[domain].exchange(fake)
            with _autocast(self.job):
                loss = _least_squares(discriminate(real), 1.0)
                loss = loss + _least_squares(discriminate(shown), 0.0)
            (0.5 * loss).backward()
            terms[f"discriminator_{domain}"] = loss
        self.adam_discriminators.step()
        return terms


def _adam(networks: list[nn.Sequential]) -> torch.optim.Adam:
    return torch.optim.Adam(_parameters(networks), lr=2e-4, betas=(0.5, 0.999), eps=1e-8)


def _parameters(networks: list[nn.Sequential]) -> list[nn.Parameter]:
    return list(itertools.chain.from_iterable(network.parameters() for network in networks))


def _least_squares(logits: torch.Tensor, target: float) -> torch.Tensor:
    logits = logits.float()
    return functional.mse_loss(logits, torch.full_like(logits, target))


def _autocast(job: Job) -> contextlib.AbstractContextManager:
    return torch.autocast(job.device, torch.bfloat16, enabled=job.precision == "bfloat16")


def _layout(job: Job) -> torch.memory_format:
    return torch.channels_last if job.layout == "nhwc" else torch.contiguous_format


def _ready(network: nn.Sequential, job: Job) -> Callable[[torch.Tensor], torch.Tensor]:
    network.to(memory_format=_layout(job))  # type: ignore[call-overload]
    if not job.compiled:
        return network
    # Discriminators see real and generated images, with and without gradients of their weights:
    # more variants than PyTorch compiles by default, and what is above its limit runs uncompiled.
    torch._dynamo.config.recompile_limit = 64
    return torch.compile(network)


def to_tensor(images: np.ndarray, job: Job) -> torch.Tensor:
    """(N, H, W, C) -> (N, C, H, W) in the job's memory layout."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=_layout(job))


def stepper(training: Training, job: Job) -> Callable[[], dict[str, float]]:
    """One step on made-up images per call."""
    batch = [to_tensor(images, job) for images in inputs.batch(job.size_px, job.batch, job.seed)]
    return lambda: training.step(*batch)


def training_step(job: Job) -> Callable[[], dict[str, float]]:
    """The same, built from nothing."""
    return stepper(Training(job), job)


# Translation.


def _translate_with(network: nn.Sequential, job: Job) -> Callable[[np.ndarray], np.ndarray]:
    """uint8 (H, W, 3) -> uint8 of the same size."""
    run = _ready(network.eval(), job)

    def translate(image: np.ndarray) -> np.ndarray:
        with torch.inference_mode(), _autocast(job):
            signed = to_tensor(image[np.newaxis], job).float().div(127.5).sub(1.0)
            translated = run(signed).float().add(1.0).mul(127.5).round().clamp(0, 255)
            return translated.byte()[0].permute(1, 2, 0).contiguous().numpy()

    return translate


def translation(job: Job) -> Callable[[], dict[str, float]]:
    """One image, uint8 in and out, per call."""
    torch.manual_seed(job.seed)
    translate = _translate_with(generator(job.filters, job.blocks), job)
    image = inputs.image(job.size_px, job.seed)
    return lambda: {"mean": float(translate(image).mean())}


def _translate_files(job: Job) -> int:
    """From a file of weights to the last image; returns how many."""
    network = generator(job.filters, job.blocks)
    network.load_state_dict(torch.load(Path(job.target) / "generator.pt"))
    translate = _translate_with(network, job)
    sources = sorted(Path(job.folder).iterdir())
    for source in sources:
        with Image.open(source) as pil_image:
            image = np.array(pil_image.convert("RGB"))
        # the format and quality that our command keeps for a JPEG
        Image.fromarray(translate(image)).save(Path(job.target) / source.name, quality=95)
    return len(sources)


def translated_folder(job: Job) -> Callable[[], dict[str, float]]:
    """All of job.folder per call, weights read each time as a command would."""
    target = Path(job.target)
    target.mkdir(parents=True, exist_ok=True)
    torch.save(generator(job.filters, job.blocks).state_dict(), target / "generator.pt")
    return lambda: {"images": _translate_files(job)}


# Input pipeline.


class Unpaired(Dataset):
    """Images of A in turn, each with a random one of B, cropped and mirrored at random.

    Args:
      root: holds trainA and trainB.
      load_px: side that images are brought to.
      crop_px: side of what is cut out of that.
    """

    def __init__(self, root: Path, load_px: int = LOAD_PX, crop_px: int = CROP_PX) -> None:
        self.a, self.b = (sorted((root / name).iterdir()) for name in ("trainA", "trainB"))
        self.sizes = load_px, crop_px

    def __len__(self) -> int:
        return max(len(self.a), len(self.b))

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return _prepared(self.a[index % len(self.a)], *self.sizes), _prepared(
            random.choice(self.b), *self.sizes
        )


def loaded(path: Path, load_px: int) -> Image.Image:
    """An image as RGB, brought to a square."""
    with Image.open(path) as file:
        return file.convert("RGB").resize((load_px, load_px), Image.Resampling.BICUBIC)


def _prepared(path: Path, load_px: int, crop_px: int) -> torch.Tensor:
    pil_image = loaded(path, load_px)
    left, top = (random.randint(0, load_px - crop_px) for _ in range(2))
    pil_image = pil_image.crop((left, top, left + crop_px, top + crop_px))
    if random.random() > 0.5:
        pil_image = pil_image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    tensor = torch.from_numpy(np.array(pil_image)).permute(2, 0, 1).contiguous()
    return tensor.float().div(255).sub_(0.5).div_(0.5)


def loader(job: Job) -> Callable[[], dict[str, float]]:
    """One epoch per call; images of both domains are counted."""
    data = DataLoader(
        Unpaired(Path(job.folder)),
        batch_size=job.batch,
        shuffle=True,
        num_workers=2,
        persistent_workers=True,
    )
    return lambda: {"images": sum(len(x) + len(y) for x, y in data)}


if __name__ == "__main__":
    _translate_files(Job.from_json(sys.argv[1]))
