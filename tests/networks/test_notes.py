"""Notes in a `.keras` file."""

import keras
import numpy as np

from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.networks.notes import read_notes, save_with_notes


def test_keras_reads_the_file_and_we_the_notes(tmp_path):
    network = build_generator("resnet_6blocks", filters=2, blocks=1)
    save_with_notes(network, tmp_path / "g.keras", {"a": {"b": 1}})
    assert read_notes(tmp_path / "g.keras") == {"a": {"b": 1}}
    loaded = keras.saving.load_model(tmp_path / "g.keras")
    for one, other in zip(network.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_other_files_have_none(tmp_path):
    build_generator("resnet_6blocks", filters=2, blocks=1).save(tmp_path / "g.keras")
    (tmp_path / "b.keras").write_bytes(b"no archive")
    for name in ("g.keras", "b.keras", "missing.keras"):
        assert read_notes(tmp_path / name) == {}
