"""Score a run on the demo's paired test split, over the animals' pixels, and draw docs/demo.png.

    python -m benchmarks.quality.demo_score runs/demo [--image docs/demo.png]

For every test scene: is the translation nearer (mean absolute difference over the animal's pixels)
to the same scene in the other domain than the unchanged input is? PSNR is over the same pixels of
all scenes. The baselines stand beside: the input itself, one flat color (the mean of the training
targets) and real images at random.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cyclegan_tf import cli
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError

with suppress_startup_logs():  # `make demo` shows what this prints
    import keras

    from benchmarks.quality.animals import on_animals
    from benchmarks.quality.split_scores import DIRECTIONS, SplitEvaluator
    from cyclegan_tf.evaluate.baselines import baseline_images
    from cyclegan_tf.images import io as image_io
    from cyclegan_tf.runs import generators
    from cyclegan_tf.runs.run_directory import RunDirectory

SHOWN_SCENES = (0, 7, 19, 33)
BATCH = 10
COLUMNS = ["x", "G(x)", "F(G(x))", "truth", "y", "F(y)", "G(F(y))", "truth"]


def main(argv: Sequence[str]) -> int:
    """Print a line per direction and baseline, and write the image."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--image", type=Path)
    arguments = parser.parse_args(argv)
    evaluator = SplitEvaluator.of(RunDirectory(arguments.run).experiment())
    networks = {d: generators.load_generator(arguments.run, d)[0] for d in DIRECTIONS}
    for direction, network in networks.items():
        print(_report(evaluator, network, direction))
    if arguments.image:
        image_io.save(arguments.image, _draw(evaluator, networks))
        print(f"drew {arguments.image}")
    return 0


def _report(evaluator: SplitEvaluator, network: keras.Model, direction: str) -> str:
    """A heading, and a line for the translations and for each baseline.

    Raises:
      UserError: the images are not the demo's.
    """
    split, masks = evaluator.split, evaluator.masks
    if masks is None:
        raise UserError("this run was not trained on the demo.", code="mismatch")
    inputs, truth = np.stack(split.inputs(direction)), np.stack(split.targets(direction))
    starts = range(0, len(inputs), BATCH)
    outputs = np.concatenate([network(inputs[i : i + BATCH], training=False) for i in starts])
    baselines: dict[str, list] = baseline_images(split, direction, evaluator.training[direction[1]])
    lines = [f"{direction}, on the animals, values in [-1, 1]:"]
    for name, images in {"translated": list(outputs), **baselines}.items():
        scores = on_animals(np.stack(images), inputs, truth, masks)
        lines.append(
            f"  {name:<16}mean absolute difference {scores['animals_mae']:.3f}, PSNR "
            f"{scores['animals_psnr']:.1f} dB, nearer to the truth than the input in "
            f"{scores['nearer']} of {len(inputs)} scenes"
        )
    return "\n".join(lines)


def _draw(evaluator: SplitEvaluator, networks: dict[str, keras.Model]) -> np.ndarray:
    """x | G(x) | F(G(x)) | truth, and the same from Y on the right."""
    rows = []
    for index in SHOWN_SCENES:
        row = []
        for direction in DIRECTIONS:
            real = evaluator.split.inputs(direction)[index][np.newaxis]
            fake = networks[direction](real, training=False)
            cycled = networks[direction[::-1]](fake, training=False)
            row += [real[0], fake[0], cycled[0], evaluator.split.targets(direction)[index]]
        rows.append([_enlarged(image_io.from_signed(np.asarray(image))) for image in row])
    return image_io.make_grid(rows, column_titles=COLUMNS)


def _enlarged(image: np.ndarray) -> np.ndarray:
    """Repeat pixels where images are small, so that browsers do not blur them."""
    times = max(1, 128 // image.shape[0])
    return image.repeat(times, axis=0).repeat(times, axis=1)


if __name__ == "__main__":
    cli.run(main, sys.argv[1:])
