"""Trainings in which something goes wrong on purpose.

Their generators are one 1 x 1 convolution that stays as it is set.
"""

import keras
import numpy as np
from PIL import Image

from cyclegan_tf import assembly
from cyclegan_tf.assembly import models
from cyclegan_tf.train import command as train

WORDS = (
    "--data.load_size_px=16 --data.crop_size_px=16 --data.batch_size=4 "
    "--generator.architecture=resnet_6blocks --discriminator.filters=4 --discriminator.n_layers=1 "
    "--training.pool_size_images=0 --training.precision=float32 --training.constant_epochs=1000 "
    "--logging.sample_images=1 --logging.test_images=1 --logging.test_every_epochs=1000 "
    "--logging.sample_every_steps=100000 --optimizer.learning_rate=1e-9"
).split()


def pixelwise(monkeypatch, kernel, bias=0.0):
    """Both generators become clip(kernel * image + bias)."""

    def build(experiment, direction, dtype_policy="float32"):
        inputs = keras.Input((None, None, 3), name="input")
        start = keras.initializers.Constant(np.reshape(kernel * np.eye(3), (1, 1, 3, 3)))
        paint = keras.layers.Conv2D(
            3,
            1,
            kernel_initializer=start,
            bias_initializer=keras.initializers.Constant(bias),
            name="paint",
        )
        return keras.Model(
            inputs, keras.ops.clip(paint(inputs), -1, 1), name=f"generator_{direction}"
        )

    for module in (assembly, models):
        monkeypatch.setattr(module, "build_generator", build)


def smooth(rng, low=0, high=256):
    """An image of 5 x 5 soft spots."""
    small = Image.fromarray(rng.integers(low, high, (5, 5, 3), np.uint8))
    return np.asarray(small.resize((16, 16), Image.Resampling.BICUBIC))


def noise(rng, low=0, high=256):
    """An image without any shape."""
    return rng.integers(low, high, (16, 16, 3), np.uint8)


def folder(root, draw_x, draw_y, counts=(8, 8, 6, 6)):
    """trainA, trainB, testA, testB.

    The test split has other names on both sides, so that it is not paired.
    """
    rng = np.random.default_rng(3)
    names = ("trainA", "trainB", "testA", "testB")
    for name, draw, count in zip(names, (draw_x, draw_y) * 2, counts, strict=True):
        (root / name).mkdir(parents=True)
        for index in range(count):
            Image.fromarray(draw(rng)).save(root / name / f"{name}_{index}.png")
    return root


def warnings_of(source, run, capsys, *more):
    """Trains; returns the warnings of the terminal, and TensorBoard's texts by tag."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    capsys.readouterr()
    assert train.main([*WORDS, f"--data.source={source}", f"--run_dir={run}", *more]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    curves = EventAccumulator(str(run / "logs" / "test"), size_guidance={"tensors": 0})
    curves.Reload()
    tags = [tag for tag in curves.Tags()["tensors"] if tag.startswith("warning/")]
    texts = {
        tag: [e.tensor_proto.string_val[0].decode() for e in curves.Tensors(tag)] for tag in tags
    }
    return lines, texts
