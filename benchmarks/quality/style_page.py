"""Neural style transfer beside CycleGAN, in the layout of the paper's figures 15 and 16.

Columns: input, style transfer with one image of the target domain, with another, with the mean
style of a whole collection, and CycleGAN. One HTML file, complete in itself.

    python -m benchmarks.quality.style_page demo page.html --run runs/demo --features vgg16_hed
    python -m benchmarks.quality.style_page data/maps page.html --run runs/maps --image page.png

Inputs are test images at equal distances; the two styles are training images of the other domain
drawn by the seed, the collection is all of them (or --style_images, drawn likewise).
"""

from __future__ import annotations

import argparse
import html
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from cyclegan_tf import atomic, cli
from cyclegan_tf.data import demo
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.features.catalog import NETWORKS
from cyclegan_tf.images.folders import find_images
from cyclegan_tf.images.grid import make_grid

with suppress_startup_logs():
    import tensorflow as tf

    import cyclegan_tf
    from cyclegan_tf.evaluate.report.html import data_uri
    from cyclegan_tf.features.loading import load
    from cyclegan_tf.images import io as image_io
    from cyclegan_tf.stylize.losses import LAYERS
    from cyclegan_tf.stylize.octaves import resized, result_size
    from cyclegan_tf.stylize.transfer import Settings, StyleTransfer

COLUMNS = ("input", "style 1", "style 2", "collection", "CycleGAN")

_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; font: 1rem/1.5 system-ui, sans-serif; }
table { border-collapse: collapse; }
th, td { padding: .2rem; font-weight: normal; text-align: center; }
img { width: 100%; min-width: 6rem; display: block; image-rendering: auto; }
tr.styles img { width: 60%; margin: 0 auto; }
small { display: block; opacity: .7; }
.wide { overflow-x: auto; }
"""


@dataclass
class Figure:
    """What the page shows.

    Attributes:
      inputs: images, uint8 (H, W, 3).
      styles: column -> the style image; None for the collection.
      results: column -> one image for each input.
      seconds: column -> for all inputs.

    Example:
      >>> figure = draw(demo_files(folder), "runs/demo", "xy", "vgg16_hed", Settings(), 0)
    """

    inputs: list[np.ndarray]
    styles: dict[str, np.ndarray | None] = field(default_factory=dict)
    results: dict[str, list[np.ndarray]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    collection: int = 0


def demo_files(folder: Path, count: int) -> Path:
    """Write the demo's images as a data set; its first `count` of training."""
    for domain, name in (("x", "trainA"), ("y", "trainB")):
        for index in range(count):
            image = demo.train_image(domain, index, demo.SIZE_PX)  # type: ignore[arg-type]
            image_io.save(folder / name / f"{index:03}.png", image)
    for index in range(demo.TEST_IMAGES):
        x, y, _ = demo.test_pair(index, demo.SIZE_PX)
        image_io.save(folder / "testA" / f"{index:03}.png", x)
        image_io.save(folder / "testB" / f"{index:03}.png", y)
    return folder


def draw(
    source: Path, direction: str, count: int, style_images: int, network: Any, options: Any
) -> Figure:
    """Compute every column.

    Args:
      source: a data set with testA and trainB (testB and trainA for "yx").
      direction: "xy" or "yx".
      count: how many inputs.
      style_images: of the collection, at most; 0 takes all.
      network: features.
      options: the command line: run, size, steps, style_weight, seed.
    """
    test, train = ("testA", "trainB") if direction == "xy" else ("testB", "trainA")
    files, targets = find_images(source / test), find_images(source / train)
    chosen = [files[index * len(files) // count] for index in range(count)]
    figure = Figure([_reduced(image_io.read(path), options.size) for path in chosen])
    rng = random.Random(options.seed)
    first, second = rng.sample(targets, 2)
    drawn = sorted(rng.sample(targets, style_images)) if style_images else targets
    figure.collection = len(drawn)
    settings = Settings(
        style_weight=options.style_weight, steps=options.steps, optimizer=options.optimizer
    )
    model = cyclegan_tf.load(options.run)
    _compute(figure, COLUMNS[4], lambda image: np.asarray(model.translate(image, direction)))
    for column, styles in zip(COLUMNS[1:4], ([first], [second], drawn), strict=True):
        transfer = StyleTransfer(network, styles, settings)
        shown = _reduced(image_io.read(styles[0]), options.size)
        figure.styles[column] = shown if len(styles) == 1 else None
        _compute(figure, column, transfer)
    return figure


def _reduced(image: np.ndarray, longer_px: int) -> np.ndarray:
    signed = tf.constant(image_io.to_signed(image)[np.newaxis])
    height, width = image.shape[:2]
    size = result_size(height, width, longer_px)
    return image_io.from_signed(resized(signed, *size)[0])


def _compute(figure: Figure, column: str, translate: Any) -> None:
    begun = time.perf_counter()
    figure.results[column] = [translate(image) for image in figure.inputs]
    figure.seconds[column] = time.perf_counter() - begun
    print(f"{column}: {figure.seconds[column]:.0f} s", flush=True)


def render(figure: Figure, title: str, facts: Mapping[str, str]) -> str:
    """Render the page.

    Args:
      figure: what it shows.
      title: its heading.
      facts: name -> text, below the images.
    """
    head = "".join(
        f"<th>{column}<small>{_below(figure, column)}</small></th>" for column in COLUMNS
    )
    styles = "".join(f"<td>{_cell(figure.styles.get(column))}</td>" for column in COLUMNS)
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{_cell(image)}</td>" for image in (shown, *_row(figure, index)))
        + "</tr>"
        for index, shown in enumerate(figure.inputs)
    )
    listed = "".join(f"<li>{html.escape(k)}: {html.escape(v)}</li>" for k, v in facts.items())
    name = html.escape(title)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style><h1>{name}</h1>"
        f'<div class="wide"><table><tr>{head}</tr><tr class="styles">{styles}</tr>{rows}</table>'
        f"</div><ul>{listed}</ul></html>\n"
    )


def _row(figure: Figure, index: int) -> list[np.ndarray]:
    return [figure.results[column][index] for column in COLUMNS[1:]]


def _below(figure: Figure, column: str) -> str:
    if column == "collection":
        return f"{figure.collection} images"
    return {"input": "", "CycleGAN": "trained"}.get(column, "one image")


def _cell(image: np.ndarray | None) -> str:
    if image is None:
        return ""
    return f'<img alt="" src="{data_uri(image_io.to_signed(image))}">'


def grid(figure: Figure) -> np.ndarray:
    """Draw the same as one image, uint8 (H, W, 3), without the style images."""
    rows = [[shown, *_row(figure, index)] for index, shown in enumerate(figure.inputs)]
    return make_grid(rows, column_titles=COLUMNS)


def main(argv: Sequence[str]) -> int:
    """Compute and write the page, and the image where one is asked for."""
    options = _parser().parse_args(argv)
    network = load(options.features, LAYERS, options.weights, pooling="average")
    with tempfile.TemporaryDirectory() as folder:
        is_demo = options.source == "demo"
        source = (
            demo_files(Path(folder), options.style_images or demo.TRAIN_IMAGES)
            if is_demo
            else Path(options.source)
        )
        figure = draw(
            source, options.direction, options.count, options.style_images, network, options
        )
    described = machine.describe()
    facts = {
        "command": "python -m benchmarks.quality.style_page " + " ".join(argv),
        "features": str(options.weights or NETWORKS[options.features].description),
        "seconds": ", ".join(f"{name} {value:.0f}" for name, value in figure.seconds.items()),
        "machine": f"{described['cpu']}, {described['cores']} cores, {described['date']}",
    }
    title = f"Neural style transfer beside CycleGAN: {Path(options.source).name}"
    atomic.write_text(options.page, render(figure, title, facts))
    if options.image:
        image_io.save(options.image, grid(figure))
    for name, text in facts.items():
        print(f"{name}: {text}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", help="demo, or a folder with trainA, trainB, testA, testB")
    parser.add_argument("page", type=Path)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--direction", choices=["xy", "yx"], default="xy")
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--size", type=int, default=0, help="longer side in pixels; 0 keeps it")
    parser.add_argument("--features", choices=list(NETWORKS), default="vgg19")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--style_images", type=int, default=0)
    parser.add_argument("--style_weight", type=float, default=Settings.style_weight)
    parser.add_argument("--steps", type=int, default=Settings.steps)
    parser.add_argument("--optimizer", choices=["adam", "lbfgs"], default="adam")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--image", type=Path, help="the same as one PNG or JPEG")
    return parser


if __name__ == "__main__":
    cli.run(main, sys.argv[1:])
