"""The page's steps to full size are those of TensorFlow; run by Node, without a browser."""

import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.export.web import PAGE
from cyclegan_tf.images import detail
from cyclegan_tf.images import io as image_io
from tests.helpers.image_files import noise

PROGRAM = """
import { readFileSync, writeFileSync } from "node:fs";
import { detailedRows, imageOf, reduced } from "./detail.mjs";
const [width, height, w, h, outputs] = process.argv.slice(2).map(Number);
const image = imageOf(readFileSync("in"), width, height, 3);
const seen = reduced(image, w, h);
const bytes = readFileSync("made");
const values = new Float32Array(new Uint8Array(bytes).buffer);
const result = new Float32Array(width * height * outputs);
detailedRows(image, seen, { values, width: w, height: h, channels: outputs }, (y, row) =>
  result.set(row, y * width * outputs));
writeFileSync("seen", Buffer.from(seen.values.buffer));
writeFileSync("out", Buffer.from(result.buffer));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
@pytest.mark.parametrize(
    ("size", "seen", "outputs"),
    [
        ((70, 53), (24, 18), 3),
        ((48, 64), (24, 32), 1),
        ((20, 90), (43, 43), 3),
        ((9, 12), (24, 32), 3),
    ],
)
def test_full_size_is_as_tensorflow_makes_it(size, seen, outputs, tmp_path):
    image = noise(*size)
    reduced = detail.reduce(tf.constant(image)[tf.newaxis], *seen)
    mixing = np.random.default_rng(3).uniform(-0.5, 0.5, (3, outputs)).astype(np.float32)
    made = tf.tanh(2.0 * reduced @ mixing)
    signed = image_io.to_signed(image)[np.newaxis]
    wanted = detail.with_detail(tf.constant(signed), reduced, made).numpy()[0]

    shutil.copy(PAGE / "detail.js", tmp_path / "detail.mjs")
    (tmp_path / "run.mjs").write_text(PROGRAM)
    (tmp_path / "in").write_bytes(np.dstack([image, np.full(size, 255, np.uint8)]).tobytes())
    (tmp_path / "made").write_bytes(made.numpy().tobytes())
    numbers = [size[1], size[0], seen[1], seen[0], outputs]
    words = ["node", "run.mjs", *map(str, numbers)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found_seen = np.frombuffer((tmp_path / "seen").read_bytes(), np.float32)
    np.testing.assert_allclose(found_seen.reshape(reduced.shape), reduced, atol=1e-4)
    found = np.frombuffer((tmp_path / "out").read_bytes(), np.float32).reshape(wanted.shape)
    np.testing.assert_allclose(found, wanted, atol=1e-3)
