"""Telling one thing from another."""

import pytest
import tensorflow as tf

from cyclegan_tf.convert.keras2 import open as legacy
from cyclegan_tf.errors import UserError
from cyclegan_tf.inspect import inspector as anything
from cyclegan_tf.networks.builders import build_discriminator
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train import command as train
from tests.helpers import tiny


def begin_run(path):
    RunDirectory(path).begin(train.resolve([*tiny.WORDS, "--data.source", "x"])[1], {})


def test_a_run_directory(tmp_path):
    begin_run(tmp_path / "run")
    told = anything.inspect(tmp_path / "run", 16)
    assert (told["path"], told["kind"]) == (str(tmp_path / "run"), "run directory")


def test_a_keras_file_whatever_the_case_of_its_name(tmp_path):
    build_discriminator(filters=1, n_layers=1, seed=0).save(tmp_path / "d.keras")
    (tmp_path / "d.keras").rename(tmp_path / "D.KERAS")
    (tmp_path / "d.keras").symlink_to(tmp_path / "D.KERAS")
    assert anything.inspect(tmp_path / "d.keras", 16)["kind"] == ".keras file"


@pytest.mark.parametrize(
    ("name", "reader"),
    [("a.h5", "hdf5"), ("a.HDF5", "hdf5"), ("a.pth", "torch_file"), ("a.pt", "torch_file")],
)
def test_files_go_to_their_readers(tmp_path, monkeypatch, name, reader):
    (tmp_path / name).touch()
    wanted = getattr(anything.models, reader)
    assert anything._FILES[(tmp_path / name).suffix.lower()] is wanted


@pytest.mark.parametrize(
    ("name", "message"), [("a.tflite", "not a .tflite file"), ("a.onnx", "not an ONNX file")]
)
def test_exports_go_to_their_readers(tmp_path, name, message):
    pytest.importorskip("onnx")
    (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(UserError, match=message):
        anything.inspect(tmp_path / name, 16)


def test_a_saved_model_by_its_file(tmp_path):
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "saved_model.pb").write_bytes(b"")
    with pytest.raises(UserError, match=r"3/saved_model\.pb is damaged"):
        anything.inspect(tmp_path, 16)


def test_a_saved_model_of_keras_2_is_opened_too(tmp_path, monkeypatch):
    module = tf.Module()
    module.call = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec((None, 4))])
    tf.saved_model.save(module, str(tmp_path), signatures=module.call)
    assert "networks" not in anything.inspect(tmp_path, 16)
    (tmp_path / "keras_metadata.pb").write_bytes(b"\xff\xff nothing")
    told = anything.inspect(tmp_path, 16)
    assert told["kind"] == "SavedModel"
    assert "saved by Keras 2, but its network stays unknown" in told["notes"][0]
    network = build_discriminator(filters=1, n_layers=1, seed=0)
    monkeypatch.setattr(legacy, "open_model", lambda path: (network, []))
    assert anything.inspect(tmp_path, 16)["networks"][0]["name"] == network.name


def test_a_folder_of_pytorch_files(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "latest_net_G_A.pth").write_bytes(b"nothing")
    with pytest.raises(
        UserError, match=r"latest_net_G_A\.pth is damaged or not a PyTorch checkpoint"
    ):
        anything.inspect(tmp_path, 16)


def test_anything_else_is_refused_with_what_can_be_read(tmp_path):
    (tmp_path / "thesis.doc").write_text("mine")
    with pytest.raises(
        UserError,
        match=r"thesis\.doc cannot be inspected; give a run directory, a \.keras, .*Saved",
    ):
        anything.inspect(tmp_path / "thesis.doc", 16)
    with pytest.raises(UserError, match=r"nowhere does not exist; give a run directory"):
        anything.inspect(tmp_path / "nowhere", 16)
    with pytest.raises(
        UserError, match=r"is a folder that cannot be inspected as a whole; give a run directory"
    ):
        anything.inspect(tmp_path, 16)


def test_a_folder_of_several_things_names_some(tmp_path):
    for index in range(3):
        begin_run(tmp_path / f"run{index}")
    (tmp_path / "export" / "litert").mkdir(parents=True)
    (tmp_path / "export" / "a.tflite").touch()
    with pytest.raises(UserError, match=r"as a whole; there are run0, run1, run2 in it\.$"):
        anything.inspect(tmp_path, 16)
    with pytest.raises(UserError, match=r"there are a\.tflite in it"):
        anything.inspect(tmp_path / "export", 16)
