"""Can the demo data's truth be reached at all? A small network learns it WITH pairs, in both
directions.

Scores of unpaired training on the demo mean something only if each world decides what the other
shows. So: train on
paired scenes, then compare on the test scenes with answers that know no stripes. Letters: domain X
is plain animals in summer, Y striped ones in autumn; on disk X is trainA/testA, Y is trainB/testB.

    python benchmarks/demo_solvable.py                 # about 4 minutes on 2 slow CPU cores
    python benchmarks/demo_solvable.py --steps 3000    # nearer to the limit
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.data import demo
from cyclegan_tf.data import demo_scenes as scenes

BATCH = 8


def paired_scenes(count: int, size_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Fresh scenes that are in no split of the data set: X and Y, float32 (N, S, S, 3) in [0,
    1]."""
    drawn = [
        scenes.draw_scene_parameters(np.random.default_rng((2024, index))) for index in range(count)
    ]
    x, y = (
        np.stack([scenes.render(scene, world, size_px) for scene in drawn]) for world in ("x", "y")
    )
    return x.astype(np.float32) / 255.0, y.astype(np.float32) / 255.0


def network(filters: int = 32, blocks: int = 4) -> keras.Model:
    """A tiny fully convolutional network: residual blocks at half resolution, no normalization."""
    layers = keras.layers
    image = keras.Input((None, None, 3))
    fine = layers.Conv2D(filters // 2, 3, padding="same", activation="relu")(image)
    hidden = layers.Conv2D(filters, 4, 2, padding="same", activation="relu")(fine)
    for _ in range(blocks):
        inner = layers.Conv2D(filters, 3, padding="same", activation="relu")(hidden)
        hidden = layers.Add()([hidden, layers.Conv2D(filters, 3, padding="same")(inner)])
    grown = layers.Conv2DTranspose(filters // 2, 4, 2, padding="same", activation="relu")(hidden)
    return keras.Model(
        image, layers.Conv2D(3, 3, padding="same")(layers.Concatenate()([grown, fine]))
    )


def train(inputs: np.ndarray, targets: np.ndarray, steps: int) -> keras.Model:
    """Minimizes L1 with Adam and a cosine schedule."""
    model = network()
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)), loss="mae"
    )
    pairs = (
        tf.data.Dataset.from_tensor_slices((inputs, targets))
        .shuffle(len(inputs), seed=1)
        .repeat()
        .batch(BATCH)
    )
    model.fit(pairs, steps_per_epoch=steps, epochs=1, verbose=0, shuffle=False)
    return model


def psnr(answer: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of values in [0, 1]."""
    return float(-10.0 * np.log10(np.mean((answer - truth) ** 2)))


def judge(
    label: str, answers: np.ndarray, inputs: np.ndarray, truths: np.ndarray, masks: np.ndarray
) -> None:
    """Prints PSNR, averaged over the test scenes, of the network's answers and of answers that know
    nothing."""
    rows: dict[str, list[tuple[float, float]]] = {
        "network": [],
        "unchanged input": [],
        "one color": [],
    }
    nearer = []
    for answer, given, truth, mask in zip(answers, inputs, truths, masks, strict=True):
        flat = np.broadcast_to(truth.mean((0, 1)), truth.shape)
        flat_object = np.broadcast_to(truth[mask].mean(0), truth[mask].shape)
        scores = [(psnr(each, truth), psnr(each[mask], truth[mask])) for each in (answer, given)]
        scores.append((psnr(flat, truth), psnr(flat_object, truth[mask])))
        for row, score in zip(rows.values(), scores, strict=True):
            row.append(score)
        nearer.append(scores[0][1] > scores[1][1])
    print(f"\n{label:22s}  image dB   object dB")
    for name, row in rows.items():
        whole, inside = np.mean(row, axis=0)
        print(f"  {name:20s}  {whole:10.2f}  {inside:10.2f}")
    print(
        f"  nearer to the truth than the input, over the object: {np.mean(nearer):.0%} of "
        f"{len(nearer)} scenes"
    )


def main() -> None:
    """Trains and judges both directions."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=600, help="training steps per direction")
    parser.add_argument("--scenes", type=int, default=1500, help="paired training scenes")
    parser.add_argument("--size_px", type=int, default=64, help="edge length of the images")
    options = parser.parse_args()
    keras.utils.set_random_seed(1)
    tf.config.threading.set_intra_op_parallelism_threads(2)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    x, y = paired_scenes(options.scenes, options.size_px)
    tests = [demo.test_pair(index, options.size_px) for index in range(demo.TEST_IMAGES)]
    test_x, test_y = (
        np.stack([pair[side] for pair in tests]).astype(np.float32) / 255.0 for side in (0, 1)
    )
    masks = np.stack([pair[2] for pair in tests])
    ways = {
        "X -> Y (adds stripes)": (x, y, test_x, test_y),
        "Y -> X (takes them off)": (y, x, test_y, test_x),
    }
    for label, (inputs, targets, given, truths) in ways.items():
        start = time.perf_counter()
        model = train(inputs, targets, options.steps)
        answers = np.clip(model.predict(given, batch_size=BATCH, verbose=0), 0.0, 1.0)
        judge(label, answers, given, truths, masks)
        print(f"  {options.steps} steps of {BATCH} took {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
