"""`.keras` files for Keras alone, and with our layers."""

import json

import keras
import numpy as np

from cyclegan_tf.export import command as export
from cyclegan_tf.networks import files
from cyclegan_tf.runs import generators


def test_a_file_for_keras_alone_and_one_with_our_layers(tiny_run, tmp_path):
    words = [str(tiny_run), str(tmp_path / "out"), "--format", "keras", "--quiet"]
    words += ["--size_px", "32", "--direction", "xy"]
    assert export.main(words) == 0
    (folder,) = (tmp_path / "out" / "keras").iterdir()
    assert {path.name for path in folder.iterdir()} == {
        "generator_xy.keras", "parity.json", "parity.png", "card.json",
    }  # fmt: skip
    path = folder / "generator_xy.keras"
    assert files.classes_by_package(path) == {}
    assert json.loads((folder / "card.json").read_text())["layers"] == "keras"
    (row,) = json.loads((folder / "parity.json").read_text())["variants"]
    assert row["max_levels"] < 0.1
    assert row["variant"] == "keras_alone"
    assert {"Pad", "GroupNormalization", "Conv2D"} <= row["operations"].keys()
    truth, _ = generators.load_generator(tiny_run, "xy", "float32")
    given = np.random.default_rng(0).uniform(-1, 1, (1, 40, 36, 3)).astype(np.float32)
    for network in (keras.saving.load_model(path), files.open_network(path)):
        np.testing.assert_allclose(network(given), truth(given), atol=1e-4)
    assert generators.training_scale(path, "xy") == generators.training_scale(tiny_run, "xy")

    assert export.main([*words, "--our_layers", "--overwrite"]) == 0
    assert "cyclegan_tf" in files.classes_by_package(path)
    assert json.loads((folder / "card.json").read_text())["layers"] == "cyclegan_tf"
    np.testing.assert_array_equal(files.open_network(path)(given), truth(given))
