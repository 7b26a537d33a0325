"""A full disk in one sentence."""

import tensorflow as tf

from cyclegan_tf.train.monitoring.disk import writing
from tests.helpers.errors import refused


def test_what_tensorflow_and_the_system_say_is_one_sentence(tmp_path):
    full = tf.errors.ResourceExhaustedError(None, None, "Failed to flush\nNo space left on device")
    with (
        refused(
            "unwritable",
            tmp_path,
            match=r"logs in .* cannot be written \(Failed to flush No space left on device\)",
        ),
        writing(tmp_path),
    ):
        raise full
    with refused("unwritable", tmp_path), writing(tmp_path):
        raise OSError(28, "No space left on device")
