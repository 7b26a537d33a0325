"""Names of weights in the official PyTorch code, and which weight of ours each of them is.

An `ArchitectureSpec` says what a network is; from it follow the names, order and shapes of its
state_dict. In PyTorch a convolution's kernel is (outputs, inputs, height, width) and a transposed
one's (inputs, outputs, height, width); Keras has the same axes in the order (2, 3, 1, 0) for both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

Norm = Literal["instance", "batch"]
# halvings -> architecture
UNETS = {8: "unet_256", 7: "unet_128"}
BATCHES = "num_batches_tracked"
"""Counter of batch normalization, which PyTorch before 0.4.1 did not have."""

FILTER = "filt"
"""Buffer of CUT's anti-aliased halving and doubling, which is the same in every file."""

_TO_KERAS = (2, 3, 1, 0)
_TO_TORCH = (3, 2, 0, 1)
_AFFINE = {"gamma": "weight", "beta": "bias"}
# Kind of filter -> by what [1, 2, 1] is divided.
_FILTERS = {"halve": 4, "double": 2}
_MOVING = {"moving_mean": "running_mean", "moving_variance": "running_var"}


@dataclass(frozen=True, kw_only=True)
class ArchitectureSpec:
    """What a network of the official PyTorch code is, as far as its weights show.

    Attributes:
      architecture: by our name: "resnet_9blocks", "resnet_6blocks", "unet_256", "unet_128", "patch"
        or "pixel".
      input_channels: of the images that come in.
      output_channels: of those that go out; 1 for discriminators.
      filters: channels after the first convolution.
      blocks: residual blocks; None where there are none.
      n_layers: how often "patch" halves; None for all others.
      dropout: None where the weights do not show it, as in U-Nets, or where there never is any.
      norm: "instance" or "batch".
      norm_affine: whether instance normalization has a factor and an offset.
      biases: whether convolutions followed by a norm have biases.
      statistics: whether norms have running statistics; of instance normalization these are
        leftovers.
      antialiased: whether a residual generator halves and doubles as those of CUT do
        (taesungp/contrastive-unpaired-translation).

    Example:
      >>> spec = recognize(read_state_dict(path), path)
      >>> spec.official_name, spec.filters
      ('resnet_9blocks', 64)
    """

    architecture: str
    input_channels: int
    output_channels: int
    filters: int
    blocks: int | None = None
    n_layers: int | None = None
    dropout: bool | None = None
    norm: Norm
    norm_affine: bool
    biases: bool
    statistics: bool
    antialiased: bool = False

    @property
    def is_generator(self) -> bool:
        """Whether it is a generator, not a discriminator."""
        return self.architecture not in ("patch", "pixel")

    @property
    def official_name(self) -> str:
        """Its name under the official options --netG and --netD.

        "resnet" for numbers of blocks that they do not know.
        """
        if self.architecture == "patch":
            return "basic" if self.n_layers == 3 else "n_layers"
        if self.blocks is None:
            return self.architecture
        return f"resnet_{self.blocks}blocks" if self.blocks in (6, 9) else "resnet"

    @property
    def affine(self) -> bool:
        """Whether norms of either kind have a factor and an offset."""
        return self.norm_affine or self.norm == "batch"


@dataclass(frozen=True)
class Slot:
    """A convolution, norm or filter.

    Attributes:
      official: beginning of its names in the state_dict.
      layer: name of our layer.
      kind: "conv", "up" (a transposed convolution), "norm", or a filter that halves or doubles.
      inputs: channels in.
      outputs: channels out.
      kernel: side of the kernel; 0 for norms.
      end: a convolution that has a bias under every norm.

    Example:
      >>> first = slots(spec)[0]
      >>> first.official, first.layer, first.kind
      ('model.1', 'first', 'conv')
    """

    official: str
    layer: str
    kind: Literal["conv", "up", "norm", "halve", "double"]
    inputs: int
    outputs: int
    kernel: int = 0
    end: bool = False


def slots(spec: ArchitectureSpec) -> list[Slot]:
    """All convolutions, norms and filters of a network, in the order of its state_dict."""
    if spec.architecture == "pixel":
        return list(_pixel(spec))
    if spec.architecture == "patch":
        return list(_patch(spec))
    for depth, architecture in UNETS.items():
        if spec.architecture == architecture:
            widths = [spec.filters * min(2**level, 8) for level in range(depth)]
            return list(_unet(spec, widths, 1, "model.model"))
    return list(_resnet(spec))


def shapes(spec: ArchitectureSpec) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the state_dict in its order, counters of running statistics included."""
    found: dict[str, tuple[int, ...]] = {}
    for slot in slots(spec):
        if slot.kind == "norm":
            names = [*_AFFINE.values()] if spec.affine else []
            names += _MOVING.values() if spec.statistics else []
            found |= {f"{slot.official}.{name}": (slot.outputs,) for name in names}
            found |= {f"{slot.official}.{BATCHES}": ()} if spec.statistics else {}
        elif slot.kind in _FILTERS:
            found[f"{slot.official}.{FILTER}"] = (slot.outputs, 1, 3, 3)
        else:
            ends = (slot.inputs, slot.outputs) if slot.kind == "up" else (slot.outputs, slot.inputs)
            found[f"{slot.official}.weight"] = (*ends, slot.kernel, slot.kernel)
            if spec.biases or slot.end:
                found[f"{slot.official}.bias"] = (slot.outputs,)
    return found


def mismatches(spec: ArchitectureSpec, arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Lists what keeps a state_dict from being this network's, to the last entry."""
    # Counters may be missing: see `BATCHES`.
    expected = {
        n: shape for n, shape in shapes(spec).items() if n in arrays or not n.endswith(BATCHES)
    }
    return differences(expected, arrays) or [
        f"{slot.official}.{FILTER} is another filter than [1, 2, 1]"
        for slot in slots(spec)
        if slot.kind in _FILTERS
        and not np.allclose(arrays[f"{slot.official}.{FILTER}"], _filter(slot), atol=1e-3)
    ]


def differences(
    expected: Mapping[str, tuple[int, ...]], arrays: Mapping[str, np.ndarray]
) -> list[str]:
    """Lists every name that is missing, of another shape or unknown."""
    found = []
    for name, shape in expected.items():
        if name not in arrays:
            found.append(f"{name} {shape} is missing")
        elif arrays[name].shape != shape:
            found.append(f"{name} is {arrays[name].shape} instead of {shape}")
    return found + [
        f"{name} {array.shape} is unknown" for name, array in arrays.items() if name not in expected
    ]


def keras_shapes(spec: ArchitectureSpec) -> dict[str, tuple[int, ...]]:
    """Shapes of our network's weights by "layer/variable"."""
    nothing = {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes(spec).items()}
    return {name: array.shape for name, array in keras_weights(spec, nothing).items()}


def keras_weights(
    spec: ArchitectureSpec, arrays: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Our network's weights out of a state_dict without mismatches.

    Args:
      spec: what the state_dict holds.
      arrays: float32 by official name.

    Returns:
      float32 by "layer/variable". Biases that ours has and the other has not are 0; running
      statistics of instance normalization are left out.
    """
    found: dict[str, np.ndarray] = {}
    for slot in slots(spec):
        if slot.kind == "norm":
            names = _norm_variables(spec)
            found |= {
                f"{slot.layer}/{ours}": arrays[f"{slot.official}.{theirs}"]
                for ours, theirs in names.items()
            }
            continue
        if slot.kind in _FILTERS:
            continue
        found[f"{slot.layer}/kernel"] = arrays[f"{slot.official}.weight"].transpose(_TO_KERAS)
        if spec.norm == "instance" or slot.end:
            nothing = np.zeros(slot.outputs, np.float32)
            found[f"{slot.layer}/bias"] = arrays.get(f"{slot.official}.bias", nothing)
    return found


def state_dict(spec: ArchitectureSpec, weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Inverse of `keras_weights`: what PyTorch's network of this spec has, in its order.

    Args:
      spec: of a network of ours, which has biases just where the other has.
      weights: by "layer/variable".

    Returns:
      float32 by official name; the counters of batch normalization are int64 and 0.
    """
    found: dict[str, np.ndarray] = {}
    for slot in slots(spec):
        if slot.kind == "norm":
            names = _norm_variables(spec)
            found |= {
                f"{slot.official}.{theirs}": weights[f"{slot.layer}/{ours}"]
                for ours, theirs in names.items()
            }
            if spec.statistics:
                found[f"{slot.official}.{BATCHES}"] = np.array(0, np.int64)
            continue
        if slot.kind in _FILTERS:
            found[f"{slot.official}.{FILTER}"] = _filter(slot)
            continue
        found[f"{slot.official}.weight"] = weights[f"{slot.layer}/kernel"].transpose(_TO_TORCH)
        if spec.biases or slot.end:
            found[f"{slot.official}.bias"] = weights[f"{slot.layer}/bias"]
    return found


def _filter(slot: Slot) -> np.ndarray:
    """CUT's filter, float32 (C, 1, 3, 3): of sum 1 where it halves, 4 where it doubles."""
    side = np.array([1, 2, 1], np.float32) / _FILTERS[slot.kind]
    return np.tile(np.outer(side, side), (slot.outputs, 1, 1, 1))


def _norm_variables(spec: ArchitectureSpec) -> dict[str, str]:
    """Our names of a norm's variables -> theirs."""
    return (_AFFINE if spec.affine else {}) | (_MOVING if spec.norm == "batch" else {})


def _normed(
    official: str,
    index: int,
    layer: str,
    kind: Literal["conv", "up"],
    inputs: int,
    outputs: int,
    kernel: int,
):
    """A convolution at a place in a torch.nn.Sequential, and the norm that comes next."""
    yield Slot(f"{official}.{index}", layer, kind, inputs, outputs, kernel)
    yield Slot(f"{official}.{index + 1}", f"{layer}_norm", "norm", outputs, outputs)


def first_block(antialiased: bool) -> int:
    """Place of the first residual block in a generator's torch.nn.Sequential."""
    return 12 if antialiased else 10


def last_convolution(blocks: int, antialiased: bool) -> int:
    """Place of a residual generator's last convolution."""
    return blocks + (21 if antialiased else 17)


def _resnet(spec: ArchitectureSpec) -> Iterator[Slot]:
    filters, blocks = spec.filters, spec.blocks or 0
    wide, blur = 4 * filters, spec.antialiased
    yield from _normed("model", 1, "first", "conv", spec.input_channels, filters, 7)
    yield from _normed("model", 4, "down1", "conv", filters, 2 * filters, 3)
    if blur:
        yield Slot("model.7", "down1_blur", "halve", 2 * filters, 2 * filters, 3)
    yield from _normed("model", 8 if blur else 7, "down2", "conv", 2 * filters, wide, 3)
    if blur:
        yield Slot("model.11", "down2_blur", "halve", wide, wide, 3)
    second = 6 if spec.dropout else 5  # dropout takes a place before it
    place = first_block(blur)
    for block in range(blocks):
        official = f"model.{place + block}.conv_block"
        yield from _normed(official, 1, f"block{block + 1}_conv1", "conv", wide, wide, 3)
        yield from _normed(official, second, f"block{block + 1}_conv2", "conv", wide, wide, 3)
    place += blocks
    for name, inputs in (("up1", wide), ("up2", 2 * filters)):
        if blur:
            yield Slot(f"model.{place}", f"{name}_double", "double", inputs, inputs, 3)
            place += 1
        yield from _normed("model", place, name, "conv" if blur else "up", inputs, inputs // 2, 3)
        place += 3
    last = f"model.{last_convolution(blocks, blur)}"
    yield Slot(last, "last", "conv", filters, spec.output_channels, 7, end=True)


def _unet(spec: ArchitectureSpec, widths: list[int], level: int, official: str) -> Iterator[Slot]:
    """One level of a U-Net with all that lies inside it; the outermost is 1."""
    width = widths[level - 1]
    if level == 1:
        yield Slot(f"{official}.0", "down1", "conv", spec.input_channels, width, 4)
        yield from _unet(spec, widths, 2, f"{official}.1.model")
        yield Slot(f"{official}.3", "up1", "up", 2 * width, spec.output_channels, 4, end=True)
        return
    outside = widths[level - 2]
    if level == len(widths):
        yield Slot(f"{official}.1", f"down{level}", "conv", outside, width, 4)
        yield from _normed(official, 3, f"up{level}", "up", width, outside, 4)
        return
    yield from _normed(official, 1, f"down{level}", "conv", outside, width, 4)
    yield from _unet(spec, widths, level + 1, f"{official}.3.model")
    yield from _normed(official, 5, f"up{level}", "up", 2 * width, outside, 4)


def _patch(spec: ArchitectureSpec) -> Iterator[Slot]:
    n_layers = spec.n_layers or 0
    widths = [spec.filters * min(2**index, 8) for index in range(n_layers + 1)]
    yield Slot("model.0", "conv1", "conv", spec.input_channels, widths[0], 4, end=True)
    for index in range(1, n_layers + 1):
        yield from _normed(
            "model", 3 * index - 1, f"conv{index + 1}", "conv", widths[index - 1], widths[index], 4
        )
    yield Slot(f"model.{3 * n_layers + 2}", "verdict", "conv", widths[-1], 1, 4, end=True)


def _pixel(spec: ArchitectureSpec) -> Iterator[Slot]:
    filters = spec.filters
    yield Slot("net.0", "conv1", "conv", spec.input_channels, filters, 1, end=True)
    yield from _normed("net", 2, "conv2", "conv", filters, 2 * filters, 1)
    yield Slot("net.5", "verdict", "conv", 2 * filters, 1, 1)
