"""Telling one thing from another."""

import os

import pytest
import tensorflow as tf

from cyclegan_tf.errors import UserError
from cyclegan_tf.inspect import inspector
from cyclegan_tf.networks.builders import build_discriminator
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.plan import plan_training
from tests.helpers import tiny
from tests.helpers.errors import refused


def begin_run(path):
    RunDirectory(path).create(plan_training([*tiny.WORDS, "--data.source", "x"]).experiment, {})


def test_a_run_directory(tmp_path):
    begin_run(tmp_path / "run")
    report = inspector.inspect_path(tmp_path / "run", 16)
    assert (report["path"], report["kind"]) == (str(tmp_path / "run"), "run directory")


def test_a_keras_file_whatever_the_case_of_its_name(tmp_path):
    build_discriminator(filters=1, n_layers=1, seed=0).save(tmp_path / "d.keras")
    (tmp_path / "d.keras").rename(tmp_path / "D.KERAS")
    (tmp_path / "d.keras").symlink_to(tmp_path / "D.KERAS")
    assert inspector.inspect_path(tmp_path / "d.keras", 16)["kind"] == ".keras file"


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("a.h5", "inspect_hdf5"),
        ("a.HDF5", "inspect_hdf5"),
        ("a.pth", "inspect_torch_file"),
        ("a.pt", "inspect_torch_file"),
    ],
)
def test_files_go_to_their_readers(tmp_path, monkeypatch, name, reader):
    (tmp_path / name).touch()
    wanted = getattr(inspector.weight_files, reader)
    assert inspector._FILES[(tmp_path / name).suffix.lower()] is wanted


@pytest.mark.parametrize(
    ("name", "message"), [("a.tflite", "not a .tflite file"), ("a.onnx", "not an ONNX file")]
)
def test_exports_go_to_their_readers(tmp_path, name, message):
    pytest.importorskip("onnx")
    (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(UserError, match=message):
        inspector.inspect_path(tmp_path / name, 16)


def test_a_saved_model_by_its_file(tmp_path):
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "saved_model.pb").write_bytes(b"")
    with pytest.raises(UserError, match=r"saved_model\.pb of .*/3 is empty"):
        inspector.inspect_path(tmp_path, 16)


def test_a_saved_model_of_keras_2_is_opened_too(tmp_path, monkeypatch):
    module = tf.Module()
    module.call = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec((None, 4))])
    tf.saved_model.save(module, str(tmp_path), signatures=module.call)
    assert "networks" not in inspector.inspect_path(tmp_path, 16)
    (tmp_path / "keras_metadata.pb").write_bytes(b"\xff\xff nothing")
    report = inspector.inspect_path(tmp_path, 16)
    assert report["kind"] == "SavedModel"
    assert "saved by Keras 2, but its network stays unknown" in report["notes"][0]
    network = build_discriminator(filters=1, n_layers=1, seed=0)
    monkeypatch.setattr("cyclegan_tf.convert.keras2.open.open_model", lambda path: (network, []))
    assert inspector.inspect_path(tmp_path, 16)["networks"][0]["name"] == network.name


def test_a_folder_of_pytorch_files(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "latest_net_G_A.pth").write_bytes(b"nothing")
    with pytest.raises(
        UserError, match=r"latest_net_G_A\.pth is damaged or not a PyTorch checkpoint"
    ):
        inspector.inspect_path(tmp_path, 16)


def test_anything_else_is_refused_with_what_can_be_read(tmp_path):
    (tmp_path / "thesis.doc").write_text("mine")
    with pytest.raises(
        UserError,
        match=r"thesis\.doc cannot be inspected; give a run directory, a \.keras, .*Saved",
    ):
        inspector.inspect_path(tmp_path / "thesis.doc", 16)
    with pytest.raises(UserError, match=r"nowhere does not exist; give a run directory"):
        inspector.inspect_path(tmp_path / "nowhere", 16)
    with pytest.raises(
        UserError, match=r"is a folder that cannot be inspected as a whole; give a run directory"
    ):
        inspector.inspect_path(tmp_path, 16)


def test_a_folder_of_several_things_names_some(tmp_path):
    for index in range(3):
        begin_run(tmp_path / f"run{index}")
    (tmp_path / "export" / "litert").mkdir(parents=True)
    (tmp_path / "export" / "a.tflite").touch()
    with pytest.raises(UserError, match=r"as a whole; there are run0, run1, run2 in it\.$"):
        inspector.inspect_path(tmp_path, 16)
    with pytest.raises(UserError, match=r"there are a\.tflite in it"):
        inspector.inspect_path(tmp_path / "export", 16)


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".pth", ".tflite", ".onnx", ".index"])
def test_pointers_and_pipes_of_any_kind(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:01\nsize 9\n")
    with refused("unreadable", path, match="git lfs pull"):
        inspector.inspect_path(path, 16)
    path.unlink()
    os.mkfifo(path)
    with refused("unreadable", path, match="is a pipe"):
        inspector.inspect_path(path, 16)


def test_whatever_a_damaged_file_makes_its_reader_raise_is_one_sentence(tmp_path, monkeypatch):
    def fails(*_):
        raise RecursionError("maximum recursion depth\nexceeded")

    monkeypatch.setitem(inspector._FILES, ".onnx", fails)
    (tmp_path / "a.onnx").write_bytes(b"x")
    with refused("unreadable", tmp_path / "a.onnx", match="depth exceeded"):
        inspector.inspect_path(tmp_path / "a.onnx", 16)
