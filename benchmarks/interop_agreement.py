"""How near converted networks are to PyTorch's own: full width, random weights, by way of files and
the command.

    python benchmarks/interop_agreement.py --out runs/interop

Each network is made by PyTorch (tests/official_torch.py, named as in the authors' code), saved as
they save, converted by `python -m cyclegan_tf.convert`, and both are shown the same image, which is
not square. The table is Markdown.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from cyclegan_tf import cli
from cyclegan_tf.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
SIZES = {"unet_256": (256, 512), "unet_128": (128, 256)}
SIZE = (128, 192)


def networks(filters: int) -> dict[str, Any]:
    """Name -> a PyTorch network with random weights, in the mode that the authors' test.py runs it
    in."""
    sys.path.insert(0, str(ROOT / "tests"))
    import official_torch as official

    width = {"filters": filters}
    import torch

    torch.manual_seed(0)
    made = {
        "resnet_9blocks": official.Resnet(blocks=9, **width),
        "resnet_6blocks": official.Resnet(blocks=6, **width),
        "resnet_6blocks, norms with factor and offset": official.Resnet(
            blocks=6, affine=True, **width
        ),
        "resnet_6blocks, left-over running statistics": official.Resnet(
            blocks=6, statistics=True, **width
        ),
        "unet_256": official.Unet(8, **width),
        "unet_128": official.Unet(7, **width),
        "discriminator basic": official.Patch(**width),
        "discriminator n_layers, 4": official.Patch(n_layers=4, **width),
        "discriminator pixel": official.Pixel(**width),
        "unet_128, batch norm": official.Unet(7, norm="batch", **width).eval(),
        "discriminator basic, batch norm": official.Patch(norm="batch", **width).eval(),
    }
    for network in made.values():
        official.randomised(network, seed=1)
        for value in network.parameters():
            if (
                value.ndim == 4
            ):  # made for widths of 4; wider sums would leave tanh where it is flat
                value.data *= (4 / filters) ** 0.5
        if not network.training:
            _measure_statistics(network)
    return made


def _measure_statistics(network: Any) -> None:
    """Gives batch normalization the running statistics of noise, as training would; made-up ones
    let values grow."""
    import torch

    network.train()
    with torch.no_grad():
        for _ in range(30):
            network(2 * torch.rand(2, 3, 128, 128) - 1)
    network.eval()


def command(*words: str) -> None:
    """Runs one of our commands to its end.

    Raises:
      UserError: it failed.
    """
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise UserError(
            f"{' '.join(words)} ended with status {done.returncode}: {done.stderr.strip()[-400:]}"
        )


def compared(name: str, network: Any, folder: Path) -> dict[str, float]:
    """Converts a network through files and compares outputs on one image.

    Returns:
      "difference", the largest; "largest" and "deviation" of PyTorch's own output.
    """
    import keras
    import torch

    import cyclegan_tf.networks.builders  # noqa: F401 -- makes our layers known to Keras

    stem = "".join(letter if letter.isalnum() else "_" for letter in name)
    source, target = folder / f"{stem}.pth", folder / f"{stem}.keras"
    torch.save(network.state_dict(), source)
    command("cyclegan_tf.convert", str(source), str(target), "--overwrite")
    size = SIZES.get(name.split(",")[0], SIZE)
    image = np.random.default_rng(2).uniform(-1, 1, (1, *size, 3)).astype(np.float32)
    with torch.inference_mode():
        truth = network(torch.from_numpy(image).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    found = np.asarray(keras.saving.load_model(target, compile=False)(image, training=False))
    return {
        "difference": float(np.abs(found - truth).max()),
        "largest": float(np.abs(truth).max()),
        "deviation": float(truth.std()),
    }


def main(argv: Sequence[str]) -> int:
    """Converts, compares, prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/interop"), help="(%(default)s)")
    parser.add_argument("--only", default="", help="networks whose names hold this word")
    parser.add_argument("--filters", type=int, default=64, help="width (%(default)s)")
    given = parser.parse_args(argv)
    given.out.mkdir(parents=True, exist_ok=True)
    print(
        "| network | largest difference | largest output | deviation of outputs "
        "|\n|---|---|---|---|"
    )
    for name, network in networks(given.filters).items():
        if given.only not in name:
            continue
        found = compared(name, network, given.out)
        print(
            f"| {name} | {found['difference']:.1e} | {found['largest']:.3g} | "
            f"{found['deviation']:.2g} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    cli.run(main, sys.argv[1:])
