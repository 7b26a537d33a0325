"""Exported files: what their own formats say, and the card beside them."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.errors import UserError
from cyclegan_tf.export.litert.metadata import ImageTensor, with_metadata
from cyclegan_tf.export.model_card import write_model_card
from cyclegan_tf.export.saved_model import write_saved_model
from cyclegan_tf.inspect import exports
from cyclegan_tf.networks.builders import build_generator
from tests.helpers import foreign, tiny_onnx, tiny_tflite

CARD = {
    "name": "zebra_xy", "direction": "xy", "checkpoint": "runs/a", "scores": {"swd_xy": 3.0},
    "git_commit": None,
    "config": {"data": {}},
}  # fmt: skip


@pytest.fixture(scope="module")
def network():
    return build_generator("resnet_6blocks", filters=2, blocks=1, seed=0)


@pytest.fixture(scope="module")
def served(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved_model") / "zebra_xy"
    write_saved_model(folder, network, 4, 16, CARD)
    return folder


class TestSavedModel:
    def test_signatures_weights_and_card(self, served, network):
        report = exports.inspect_saved_model(served)
        assert report["version_folder"] == str(served / "1")
        assert report["made_with_tensorflow"].startswith("2.")
        assert report["values_in_variables"] == network.count_params()
        assert {
            "signature": "serving_default", "way": "in", "name": "images", "dtype": "float32",
            "shape": [None, None, None, 3],
        } in report["tensors"]  # fmt: skip
        assert {(tensor["signature"], tensor["way"],
        tensor["dtype"]) for tensor in report["tensors"]} == {
            ("serving_default", "in", "float32"), ("serving_default", "out", "float32"),
            ("image_bytes", "in", "string"), ("image_bytes", "out", "string"),
        }  # fmt: skip
        assert report["operations"]["Conv2D"] >= 5
        assert report["provenance"]["direction"] == "xy"
        assert report["provenance"]["scores"] == {"swd_xy": 3.0}
        assert report["provenance"]["files_as_exported"] is True
        assert not {"git_commit", "config"} & set(report["provenance"])
        assert json.loads(json.dumps(report)) == report
        assert "notes" not in report

    def test_what_a_program_may_touch_is_named(self, tmp_path):
        def act(images):
            tf.io.write_file("/nowhere", "x")
            return images

        (note,) = exports.inspect_saved_model(foreign.save_program(tmp_path, act))["notes"]
        assert note.startswith("run with --trust only")
        assert note.endswith(": WriteFile")

    def test_a_changed_file_is_noticed_and_the_newest_version_taken(self, served, tmp_path):
        folder = tmp_path / "zebra_xy"
        shutil.copytree(served, folder)
        shutil.copytree(folder / "1", folder / "10")
        (folder / "9").mkdir()
        with (folder / "10" / "variables" / "variables.index").open("ab") as file:
            file.write(b"\0")
        report = exports.inspect_saved_model(folder)
        assert report["version_folder"] == str(folder / "10")
        assert report["provenance"]["files_as_exported"] is False
        assert exports.inspect_saved_model(folder / "1")["provenance"]["files_as_exported"] is True

    def test_one_of_somebody_else(self, tmp_path):
        module = tf.Module()
        module.table = tf.Variable(np.zeros((4, 5), np.float32))
        module.call = tf.function(
            lambda x: x @ module.table, input_signature=[tf.TensorSpec((None, 4))]
        )
        tf.saved_model.save(module, str(tmp_path), signatures=module.call)
        report = exports.inspect_saved_model(tmp_path)
        assert report["values_in_variables"] == 20
        assert report["operations"]["MatMul"] >= 1
        assert "provenance" not in report

    @pytest.mark.parametrize("content", [b"", b"\xff\xff not a model"])
    def test_a_damaged_one(self, tmp_path, content):
        (tmp_path / "saved_model.pb").write_bytes(content)
        with pytest.raises(UserError, match=r"saved_model\.pb of "):
            exports.inspect_saved_model(tmp_path)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return tiny_tflite.convolution(tmp_path_factory.mktemp("model"), 2)


class TestTflite:
    def test_tensors_operations_and_size(self, plain, tmp_path):
        path = tmp_path / "float32.tflite"
        path.write_bytes(plain)
        report = exports.inspect_tflite(path)
        assert report["size_bytes"] == len(plain)
        assert [(t["way"], t["dtype"], t["shape"]) for t in report["tensors"]] == [
            ("in", "float32", [1, 8, 8, 3]), ("out", "float32", [1, 8, 8, 2]),
        ]  # fmt: skip
        assert report["operations"] == {"CONV_2D": 1, "TANH": 1}
        assert report["packed_files"] == []
        assert "provenance" not in report
        assert json.loads(json.dumps(report)) == report

    def test_metadata_packed_files_card_and_parity(self, plain, tmp_path):
        given = ImageTensor("images", "a zebra", 8, 3, normalized=True)
        made = ImageTensor("translated", "a horse", 8, 2, normalized=False)
        path = tmp_path / "float16.tflite"
        path.write_bytes(
            with_metadata(plain, "zebra_xy", "Zebras to horses.", given, made, {"card.json": "{}"})
        )
        rows = [
            {"variant": "float32", "psnr_db": 90.0},
            {"variant": "float16", "psnr_db": 60.5, "fault": None},
        ]
        (tmp_path / "parity.json").write_text(json.dumps({"variants": rows}))
        write_model_card(tmp_path, CARD)
        report = exports.inspect_tflite(path)
        assert report["metadata"] == {
            "name": "zebra_xy", "description": "Zebras to horses.", "author": "cyclegan_tf",
        }  # fmt: skip
        assert report["packed_files"] == ["card.json"]
        assert report["provenance"]["files_as_exported"] is True
        assert report["parity"]["psnr_db"] == 60.5
        path.write_bytes(path.read_bytes() + b"\0")
        assert exports.inspect_tflite(path)["provenance"]["files_as_exported"] is False

    def test_a_card_of_other_files_says_nothing_of_this_one(self, plain, tmp_path):
        write_model_card(tmp_path, CARD)
        path = tmp_path / "mine.tflite"
        path.write_bytes(plain)
        assert exports.inspect_tflite(path)["provenance"]["files_as_exported"] is None

    @pytest.mark.parametrize("cut", [0, 10, 200])
    def test_a_damaged_file(self, plain, tmp_path, cut):
        path = tmp_path / "a.tflite"
        path.write_bytes(plain[:cut])
        with pytest.raises(UserError, match=r"a\.tflite is damaged or not a \.tflite file"):
            exports.inspect_tflite(path)


class TestOnnx:
    def test_tensors_operations_and_weights(self, tmp_path):
        pytest.importorskip("onnx")
        path = tmp_path / "model.onnx"
        path.write_bytes(tiny_onnx.convolution())
        report = exports.inspect_onnx(path)
        assert report["opset"] == {"ai.onnx": 17}
        assert report["values_in_initializers"] == 2 * 3 * 3 * 3
        assert report["operations"] == {"Conv": 1}
        assert report["tensors"][0] == {
            "way": "in",
            "name": "images",
            "dtype": "float",
            "shape": [None, 3, 8, 8],
        }
        assert json.loads(json.dumps(report)) == report

    @pytest.mark.parametrize("content", [b"", b"\xff\xff\xff not a model"])
    def test_a_damaged_file(self, tmp_path, content):
        pytest.importorskip("onnx")
        (tmp_path / "model.onnx").write_bytes(content)
        with pytest.raises(UserError, match="is damaged or not an ONNX file"):
            exports.inspect_onnx(tmp_path / "model.onnx")

    def test_without_the_extra(self, tmp_path, monkeypatch):
        monkeypatch.setattr(exports.importlib.util, "find_spec", lambda name: None)
        with pytest.raises(UserError, match=r'pip install "\.\[onnx\]"'):
            exports.inspect_onnx(tmp_path / "model.onnx")
