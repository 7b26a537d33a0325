"""Scores a run on the demo's paired test split, over the animals' pixels, and draws docs/demo.png.

    python benchmarks/demo_score.py runs/demo [--picture docs/demo.png]

For every test scene: is the translation nearer (mean absolute difference over the animal's pixels) to the same
scene in the other world than the unchanged input is? PSNR is over the same pixels of all scenes.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from cyclegan_tf import assembly, images
from cyclegan_tf.data import demo
from cyclegan_tf.data.pipeline import evaluation_reader
from cyclegan_tf.runs import RunDirectory

SHOWN = (0, 7, 19, 33)


def main() -> None:
    """Prints a line per direction and writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    experiment = RunDirectory(arguments.run).experiment()
    source, preparation = assembly.open_source(experiment), assembly.build_preparation(experiment)
    scenes = {
        domain: np.concatenate([evaluation_reader(pictures, preparation)(i) for i in range(len(pictures))])
        for domain, pictures in (("x", source.test_x), ("y", source.test_y))
    }
    masks = np.stack([_mask(index, scenes["x"].shape[1]) for index in range(len(scenes["x"]))])
    generators = {d: assembly.load_generator(arguments.run, d)[0] for d in ("xy", "yx")}
    for direction, network in generators.items():
        inputs, truth = scenes[direction[0]], scenes[direction[1]]
        outputs = np.concatenate([network(inputs[i : i + 10], training=False) for i in range(0, len(inputs), 10)])
        distance = {name: _distance(picture, truth, masks) for name, picture in (("in", inputs), ("out", outputs))}
        print(
            f"{direction}: nearer to the truth than the input in {np.sum(distance['out'] < distance['in'])} of "
            f"{len(inputs)} scenes; mean absolute difference on the animals {distance['out'].mean():.3f} "
            f"(input {distance['in'].mean():.3f}) in [-1, 1]; PSNR there {_psnr(outputs, truth, masks):.1f} dB "
            f"(input {_psnr(inputs, truth, masks):.1f} dB)"
        )
    if arguments.picture:
        images.save(arguments.picture, _draw(generators, scenes))
        print(f"drew {arguments.picture}")


def _mask(index: int, size_px: int) -> np.ndarray:
    """The animals of a test scene at the size the network saw it."""
    coverage = demo.test_pair(index, demo.SIZE_PX)[2].astype(np.float32)[..., None]
    return tf.image.resize(coverage, (size_px, size_px), antialias=True).numpy()[..., 0] > 0.5


def _distance(pictures: np.ndarray, truth: np.ndarray, masks: np.ndarray) -> np.ndarray:
    return np.array([np.abs(a - b)[mask].mean() for a, b, mask in zip(pictures, truth, masks, strict=True)])


def _psnr(pictures: np.ndarray, truth: np.ndarray, masks: np.ndarray) -> float:
    """Of values in [-1, 1]: the peak is 2."""
    return 10 * np.log10(4 / np.mean((pictures - truth)[masks] ** 2))


def _draw(generators: dict, scenes: dict[str, np.ndarray]) -> np.ndarray:
    """x | G(x) | F(G(x)) | truth, and the same from Y on the right."""
    rows = []
    for index in SHOWN:
        row = []
        for there, back in (("xy", "yx"), ("yx", "xy")):
            real = scenes[there[0]][index : index + 1]
            fake = generators[there](real, training=False)
            row += [real, fake, generators[back](fake, training=False), scenes[there[1]][index : index + 1]]
        rows.append([_twice(images.from_signed(np.asarray(picture)[0])) for picture in row])
    return images.grid(rows, column_titles=["x", "G(x)", "F(G(x))", "truth", "y", "F(y)", "G(F(y))", "truth"])


def _twice(picture: np.ndarray) -> np.ndarray:
    """Pixels doubled where pictures are small, so that browsers do not blur them."""
    times = max(1, 128 // picture.shape[0])
    return picture.repeat(times, axis=0).repeat(times, axis=1)


if __name__ == "__main__":
    main()
