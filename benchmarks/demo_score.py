"""Scores a run on the demo's paired test split, over the animals' pixels, and draws docs/demo.png.

    python benchmarks/demo_score.py runs/demo [--image docs/demo.png]

For every test scene: is the translation nearer (mean absolute difference over the animal's pixels)
to the same scene in the other world than the unchanged input is? PSNR is over the same pixels of
all scenes. Beside it stands what
one gets for nothing: the input itself, one flat color (the mean of the training targets) and real
  images at random.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from cyclegan_tf.runs import generators

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from cyclegan_tf.data import demo
from cyclegan_tf.evaluate.scores import baselines
from cyclegan_tf.images import io as image_io
from cyclegan_tf.metrics.image_quality import psnr
from cyclegan_tf.runs.run_directory import RunDirectory

DISPLAYED_LOSSES = (0, 7, 19, 33)


def main() -> None:
    """Prints a line per direction and writes the image."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--image", type=Path)
    arguments = parser.parse_args()
    import split_scores  # which takes its masks from here

    exam = split_scores.Exam.of(RunDirectory(arguments.run).experiment())
    scenes = {"x": np.stack(exam.split.x), "y": np.stack(exam.split.y)}
    generators = {d: generators.load_generator(arguments.run, d)[0] for d in ("xy", "yx")}
    for direction, network in generators.items():
        inputs, truth = scenes[direction[0]], scenes[direction[1]]
        outputs = np.concatenate(
            [network(inputs[i : i + 10], training=False) for i in range(0, len(inputs), 10)]
        )
        free = baselines(exam.split, direction, exam.training[direction[1]])
        print(f"{direction}, on the animals, values in [-1, 1]:")
        for name, images in {"translated": outputs, **free}.items():
            scores = on_animals(np.stack(images), inputs, truth, exam.masks)
            print(
                f"  {name:<16}mean absolute difference {scores['animals_mae']:.3f}, PSNR "
                f"{scores['animals_psnr']:.1f} dB, nearer to the truth than the input in "
                f"{scores['nearer']} of {len(inputs)} scenes"
            )
    if arguments.image:
        image_io.save(arguments.image, _draw(generators, scenes))
        print(f"drew {arguments.image}")


def animal_masks(count: int, size_px: int) -> np.ndarray:
    """Where the animals of the first `count` test scenes are, at the size the network saw them:
    bool (N, S, S)."""
    drawn = np.stack([demo.test_pair(index, demo.SIZE_PX)[2] for index in range(count)])
    coverage = drawn.astype(np.float32)[..., np.newaxis]
    return tf.image.resize(coverage, (size_px, size_px), antialias=True).numpy()[..., 0] > 0.5


def on_animals(
    outputs: np.ndarray, inputs: np.ndarray, truth: np.ndarray, masks: np.ndarray
) -> dict[str, float]:
    """Scores over the animals' pixels.

    Args:
      outputs: float32 (N, S, S, C) in [-1, 1], translations.
      inputs: what was translated, alike.
      truth: the same scenes in the other world, alike.
      masks: bool (N, S, S), see `animal_masks`.

    Returns:
      "nearer", in how many scenes the output is nearer to the truth than the input is;
      "animals_mae", the mean over scenes of the mean absolute difference; "animals_psnr", dB over
      the pixels of all scenes.
    """
    distance = _distance(outputs, truth, masks)
    return {
        "nearer": int(np.sum(distance < _distance(inputs, truth, masks))),
        "animals_mae": float(distance.mean()),
        "animals_psnr": psnr(outputs[masks], truth[masks]),
    }


def _distance(images: np.ndarray, truth: np.ndarray, masks: np.ndarray) -> np.ndarray:
    return np.array(
        [np.abs(a - b)[mask].mean() for a, b, mask in zip(images, truth, masks, strict=True)]
    )


def _draw(generators: dict, scenes: dict[str, np.ndarray]) -> np.ndarray:
    """x | G(x) | F(G(x)) | truth, and the same from Y on the right."""
    rows = []
    for index in DISPLAYED_LOSSES:
        row = []
        for there, back in (("xy", "yx"), ("yx", "xy")):
            real = scenes[there[0]][index : index + 1]
            fake = generators[there](real, training=False)
            row += [
                real,
                fake,
                generators[back](fake, training=False),
                scenes[there[1]][index : index + 1],
            ]
        rows.append([_twice(image_io.from_signed(np.asarray(image)[0])) for image in row])
    return image_io.grid(
        rows, column_titles=["x", "G(x)", "F(G(x))", "truth", "y", "F(y)", "G(F(y))", "truth"]
    )


def _twice(image: np.ndarray) -> np.ndarray:
    """Pixels doubled where images are small, so that browsers do not blur them."""
    times = max(1, 128 // image.shape[0])
    return image.repeat(times, axis=0).repeat(times, axis=1)


if __name__ == "__main__":
    main()
