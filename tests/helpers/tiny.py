"""The smallest experiment that is still the whole thing, for tests that train."""

import json
import os
import shutil

import numpy as np
import tifffile
from PIL import Image

from cyclegan_tf.runs import checkpoints
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train import command as train

WORDS = (
    "--data.load_size_px=18 --data.crop_size_px=16 --generator.architecture=resnet_6blocks "
    "--generator.blocks=1 --generator.filters=2 --discriminator.filters=2 "
    "--discriminator.n_layers=1 --training.pool_size_images=3 --training.precision=float32 "
    "--logging.log_every_steps=2 --logging.sample_images=1 --logging.test_images=1 "
    "--training.constant_epochs=1 --training.decay_epochs=1"
).split()


def folder(root, counts=(5, 4, 2, 2), size=20):
    """trainA, trainB, testA, testB with random smooth images."""
    rng = np.random.default_rng(11)
    for name, count in zip(("trainA", "trainB", "testA", "testB"), counts, strict=True):
        if count:
            (root / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            small = Image.fromarray(rng.integers(0, 256, (5, 5, 3), np.uint8))
            small.resize((size, size), Image.Resampling.BICUBIC).save(root / name / f"{index}.png")
    return root


def scans(root, size=20):
    """trainA, trainB, testA, testB with smooth gray numbers: int16 from -1000 to 400 or so in A,
    and float32 from 0 to 2 in B."""
    rng = np.random.default_rng(11)
    for name, count in zip(("trainA", "trainB", "testA", "testB"), (5, 4, 2, 2), strict=True):
        (root / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            small = Image.fromarray(rng.uniform(0, 1, (5, 5)).astype(np.float32))
            shares = np.asarray(small.resize((size, size), Image.Resampling.BILINEAR))
            numbers = np.rint(1400 * shares - 1000).astype(np.int16) if "A" in name else 2 * shares
            tifffile.imwrite(root / name / f"{index}.tif", numbers)
    return root


def words(source, run, *more):
    """A training command on a folder; `more` wins over the tiny defaults."""
    return [*WORDS, f"--data.source={source}", f"--run_dir={run}", *more]


def train_shared(root):
    """Trains ROOT/run for 3 steps on ROOT/images, which are paired by name; it appears whole."""
    source = folder(root / "images")
    assert train.main(words(source, root / "making", "--training.max_steps=3", "--quiet")) == 0
    (root / "making").rename(root / "run")


def outcome(run):
    """Returns every array of a run's last checkpoint, its step, and the rows without speeds."""
    arrays, state = checkpoints.read(checkpoints.list_checkpoints(RunDirectory(run).checkpoints)[0])
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for row in rows:
        row.pop("steps_per_second", None)
    return arrays, state["step"], rows


def assert_same_outcome(a, b):
    """Compares two runs bit for bit."""
    (arrays_a, step_a, rows_a), (arrays_b, step_b, rows_b) = outcome(a), outcome(b)
    assert step_a == step_b
    assert rows_a == rows_b
    assert set(arrays_a) == set(arrays_b)
    for name, array in arrays_a.items():
        np.testing.assert_array_equal(array, arrays_b[name], err_msg=name)


def interrupted(monkeypatch, words, step):
    """Ends a training after a step as SIGTERM does."""
    from cyclegan_tf.train import trainer as training

    plain = training.Trainer._after_step

    def after_step(self, rate):
        plain(self, rate)
        if self.step == step:
            os.kill(os.getpid(), 15)

    with monkeypatch.context() as patched:
        patched.setattr(training.Trainer, "_after_step", after_step)
        return train.main(words)


def rewound(run, copy, step):
    """Copies a run and takes its checkpoints after a step away, as a kill would have left it."""
    shutil.copytree(run, copy)
    for path in checkpoints.list_checkpoints(copy / "checkpoints"):
        if checkpoints.step_of(path) > step:
            path.unlink()
    assert checkpoints.step_of(checkpoints.list_checkpoints(copy / "checkpoints")[0]) == step
    return copy


def started(monkeypatch, words):
    """Runs the command up to the first step; returns the trainer as it would begin."""
    from cyclegan_tf.train import trainer as training

    trainers = []

    def note(self):
        trainers.append(self)
        return 0

    with monkeypatch.context() as patched:
        patched.setattr(training.Trainer, "train", note)
        assert train.main(words) == 0
    return trainers[0]
