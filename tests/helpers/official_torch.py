"""PyTorch networks with the names of the official code (junyanz/pytorch-CycleGAN-and-pix2pix).

Written anew from that layout for the tests.
"""

from __future__ import annotations

import torch
from torch import nn


def norm_of(norm, affine=False, statistics=False):
    """Makes norm layers: "batch", or "instance" as it is today, or as older PyTorch left it in
    files."""
    if norm == "batch":
        return nn.BatchNorm2d
    return lambda width: nn.InstanceNorm2d(width, affine=affine, track_running_stats=statistics)


class Block(nn.Module):
    """x + convolutions of x."""

    def __init__(self, width, make_norm, biases, dropout):
        super().__init__()
        layers = [
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3, bias=biases),
            make_norm(width),
            nn.ReLU(True),
        ]
        layers += [nn.Dropout(0.5)] if dropout else []
        layers += [nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3, bias=biases), make_norm(width)]
        self.conv_block = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.conv_block(x)


class Blur(nn.Module):
    """CUT's halving (reflected edges) or doubling (repeated edges) through [1, 2, 1]."""

    def __init__(self, width, doubles):
        super().__init__()
        self.filt: torch.Tensor
        side = torch.tensor([1.0, 2.0, 1.0]) / (2 if doubles else 4)
        self.doubles = doubles
        self.register_buffer("filt", torch.outer(side, side).repeat(width, 1, 1, 1))

    def forward(self, x):
        width, convolve = x.shape[1], nn.functional.conv2d
        if not self.doubles:
            x = nn.functional.pad(x, (1, 1, 1, 1), mode="reflect")
            return convolve(x, self.filt, stride=2, groups=width)
        x = nn.functional.pad(x, (1, 1, 1, 1), mode="replicate")
        x = nn.functional.conv_transpose2d(x, self.filt, stride=2, padding=2, groups=width)
        return x[:, :, 1:, 1:]


class Resnet(nn.Module):
    """Residual generator of any number of blocks; `antialiased` as those of CUT."""

    def __init__(
        self, inputs=3, outputs=3, filters=4, blocks=2, norm="instance", dropout=False,
        antialiased=False, **options,
    ):  # fmt: skip
        super().__init__()
        make_norm, biases = norm_of(norm, **options), norm == "instance"
        layers = [
            nn.ReflectionPad2d(3),
            nn.Conv2d(inputs, filters, 7, bias=biases),
            make_norm(filters),
            nn.ReLU(True),
        ]
        for width in (2 * filters, 4 * filters):
            layers += [
                nn.Conv2d(width // 2, width, 3, 1 if antialiased else 2, 1, bias=biases),
                make_norm(width),
                nn.ReLU(True),
            ]
            layers += [Blur(width, doubles=False)] if antialiased else []
        layers += [Block(4 * filters, make_norm, biases, dropout) for _ in range(blocks)]
        for width in (2 * filters, filters):
            up: nn.Module = nn.ConvTranspose2d(
                2 * width, width, 3, 2, padding=1, output_padding=1, bias=biases
            )
            if antialiased:
                layers += [Blur(2 * width, doubles=True)]
                up = nn.Conv2d(2 * width, width, 3, 1, 1, bias=biases)
            layers += [up, make_norm(width), nn.ReLU(True)]
        self.model = nn.Sequential(
            *layers, nn.ReflectionPad2d(3), nn.Conv2d(filters, outputs, 7), nn.Tanh()
        )

    def forward(self, x):
        return self.model(x)


class Level(nn.Module):
    """One level of a U-Net around those inside it; all but the outermost hand on their input beside
    their result."""

    def __init__(self, outside, width, inner, make_norm, biases, inputs=None, dropout=False):
        super().__init__()
        self.outermost = inputs is not None
        down = nn.Conv2d(inputs or outside, width, 4, 2, 1, bias=biases)
        up = nn.ConvTranspose2d(
            width * (2 if inner else 1), outside, 4, 2, 1, bias=biases or self.outermost
        )
        if self.outermost:
            layers = [down, inner, nn.ReLU(True), up, nn.Tanh()]
        elif inner is None:
            layers = [nn.LeakyReLU(0.2, True), down, nn.ReLU(True), up, make_norm(outside)]
        else:
            layers = [
                nn.LeakyReLU(0.2, True),
                down,
                make_norm(width),
                inner,
                nn.ReLU(True),
                up,
                make_norm(outside),
            ]
            layers += [nn.Dropout(0.5)] if dropout else []
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        # x first: the LeakyReLU inside works in place, and what is handed on has gone through it
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class Unet(nn.Module):
    """U-Net that halves `depth` times."""

    def __init__(
        self, depth, inputs=3, outputs=3, filters=2, norm="instance", dropout=False, **options
    ):
        super().__init__()
        make_norm, biases = norm_of(norm, **options), norm == "instance"
        widths = [filters * min(2**level, 8) for level in range(depth)]
        level = None
        for index in range(depth - 1, 0, -1):
            drops = dropout and 4 <= index < depth - 1
            level = Level(widths[index - 1], widths[index], level, make_norm, biases, dropout=drops)
        self.model = Level(outputs, filters, level, make_norm, biases, inputs=inputs)

    def forward(self, x):
        return self.model(x)


class Patch(nn.Module):
    """PatchGAN discriminator."""

    def __init__(self, inputs=3, filters=4, n_layers=3, norm="instance", **options):
        super().__init__()
        make_norm, biases = norm_of(norm, **options), norm == "instance"
        layers = [nn.Conv2d(inputs, filters, 4, 2, 1), nn.LeakyReLU(0.2, True)]
        width = filters
        for index in range(1, n_layers + 1):
            before, width = width, filters * min(2**index, 8)
            stride = 2 if index < n_layers else 1
            layers += [
                nn.Conv2d(before, width, 4, stride, 1, bias=biases),
                make_norm(width),
                nn.LeakyReLU(0.2, True),
            ]
        self.model = nn.Sequential(*layers, nn.Conv2d(width, 1, 4, 1, 1))

    def forward(self, x):
        return self.model(x)


class Pixel(nn.Module):
    """Discriminator of single pixels."""

    def __init__(self, inputs=3, filters=4, norm="instance", **options):
        super().__init__()
        make_norm, biases = norm_of(norm, **options), norm == "instance"
        self.net = nn.Sequential(
            nn.Conv2d(inputs, filters, 1),
            nn.LeakyReLU(0.2, True),
            nn.Conv2d(filters, 2 * filters, 1, bias=biases),
            make_norm(2 * filters),
            nn.LeakyReLU(0.2, True),
            nn.Conv2d(2 * filters, 1, 1, bias=biases),
        )

    def forward(self, x):
        return self.net(x)


def randomized(network, seed=0):
    """The network with weights of which each matters: none is 0 or 1, and variances are far from
    1."""
    random = torch.Generator().manual_seed(seed)

    def normal(like, mean, deviation):
        return mean + deviation * torch.randn(like.shape, generator=random)

    arrays = {}
    for name, value in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            arrays[name] = torch.tensor(7)
        elif name.endswith("filt"):
            arrays[name] = value  # the same in every file
        elif name.endswith("running_var"):
            arrays[name] = 0.3 + 1.5 * torch.rand(value.shape, generator=random)
        elif value.ndim == 4:
            # about as many products are added for each output, whatever the kernel, so that tanh is
            # seldom flat
            arrays[name] = normal(value, 0.0, {1: 0.5, 7: 0.08}.get(value.shape[-1], 0.15))
        else:
            arrays[name] = normal(value, 1.0 if name.endswith("weight") else 0.0, 0.3)
    network.load_state_dict(arrays, strict=True)
    return network


def outputs_of(network, images):
    """float32 (N, H, W, C) in and out, in the mode the network is in; with no gradients."""
    with torch.no_grad():
        given = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
        return network(given).numpy().transpose(0, 2, 3, 1).copy()


def arrays_of(network):
    """The state_dict as NumPy arrays."""
    return {name: value.detach().numpy().copy() for name, value in network.state_dict().items()}


FOUR = {
    "G_A": lambda **options: Resnet(filters=2, blocks=2, **options),
    "G_B": lambda **options: Resnet(filters=2, blocks=2, **options),
    "D_A": lambda **options: Patch(filters=3, n_layers=2, **options),
    "D_B": lambda **options: Patch(filters=3, n_layers=2, **options),
}


def four_networks(**options):
    """The four of a training by their official names, each with weights of its own."""
    return {
        name: randomized(build(**options), seed).eval()
        for seed, (name, build) in enumerate(FOUR.items())
    }


def save_folder(path, networks, epoch="latest"):
    """Saves networks as the official train.py does; returns the folder."""
    path.mkdir(parents=True, exist_ok=True)
    for name, network in networks.items():
        torch.save(network.state_dict(), path / f"{epoch}_net_{name}.pth")
    return path
