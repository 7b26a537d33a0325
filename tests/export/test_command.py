"""The export command, end to end and on everything people get wrong."""

import json
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.errors import UserError
from cyclegan_tf.export import command as export
from cyclegan_tf.export.litert.runtime import LiteRTModel
from cyclegan_tf.export.trained import calibration_images
from cyclegan_tf.images import io as image_io
from cyclegan_tf.runs import generators
from cyclegan_tf.train import command as train
from tests.helpers import tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("export")
    source = tiny.folder(root / "images", size=40)
    train.main(tiny.words(source, root / "zebra", "--training.max_steps=3"))
    return root / "zebra"


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    status = export.main([str(run), str(out), "--allow-lossy", "--size", "32", "--quiet"])
    assert status == 0
    return out


@pytest.mark.slow
class TestEverything:
    def test_what_lies_where(self, exported):
        found = {
            path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()
        }
        for direction in ("xy", "yx"):
            assert f"saved_model/zebra_{direction}/1/saved_model.pb" in found
            assert f"saved_model/zebra_{direction}/1/assets.extra/card.json" in found
            for name in ("float32.tflite", "float16.tflite", "dynamic_int8.tflite", "int8.tflite",
                "parity.json",
                         "parity.png", "card.json"):  # fmt: skip
                assert f"litert/zebra_{direction}/{name}" in found
        assert not any(".partial" in name for name in found)

    @pytest.mark.parametrize("direction", ["xy", "yx"])
    def test_each_direction_is_its_own_generator(self, exported, run, direction):
        network, _ = generators.load_generator(run, direction, "float32")
        batch = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)
        wanted = network(batch).numpy()
        served = tf.saved_model.load(str(exported / "saved_model" / f"zebra_{direction}" / "1"))
        outputs = served.signatures["serving_default"](images=tf.constant(batch))["translated"]
        np.testing.assert_allclose(outputs, wanted, atol=1e-5)
        made = LiteRTModel(exported / "litert" / f"zebra_{direction}" / "float32.tflite")(batch)
        np.testing.assert_allclose(made, wanted, atol=1e-5)

    def test_the_report_is_of_the_test_split(self, exported, run):
        told = json.loads((exported / "litert" / "zebra_xy" / "parity.json").read_text())
        assert [row["variant"] for row in told["variants"]] == [
            "float32",
            "float16",
            "dynamic_int8",
            "int8",
        ]
        assert {row["images"] for row in told["variants"]} == {2}
        assert told["variants"][0]["psnr_db"] is None or told["variants"][0]["psnr_db"] > 60
        assert all(row["not_finite"] == 0 for row in told["variants"])

    def test_the_file_tells_where_it_came_from(self, exported, run):
        path = exported / "litert" / "zebra_xy" / "float16.tflite"
        inside = json.loads(zipfile.ZipFile(path).read("card.json"))
        beside = json.loads((path.parent / "card.json").read_text())
        assert inside["checkpoint"] == beside["checkpoint"]
        assert "step_000000003.npz" in inside["checkpoint"]
        assert inside["input"]["shape"] == [1, 32, 32, 3]
        assert set(beside["files"]) == {
            "float32.tflite", "float16.tflite", "dynamic_int8.tflite", "int8.tflite", "parity.json",
            "parity.png",
        }  # fmt: skip

    def test_again_there_is_a_second_version_and_the_rest_wants_overwrite(self, exported, run):
        words = [
            str(run),
            str(exported),
            "--size",
            "32",
            "--quiet",
            "--direction",
            "xy",
            "--variants",
            "float32",
        ]
        with pytest.raises(UserError, match=r"litert/zebra_xy exists already.*--overwrite"):
            export.main(words)
        assert not (exported / "saved_model" / "zebra_xy" / "2").exists()
        assert export.main([*words, "--overwrite", "--name", "other"]) == 0
        assert export.main([*words, "--format", "saved_model"]) == 0
        assert (exported / "saved_model" / "zebra_xy" / "2").is_dir()


@pytest.mark.slow
def test_a_file_too_far_off_is_removed_and_the_status_is_1(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(
        __import__("cyclegan_tf.export.litert.converter", fromlist=["x"]).MIN_PSNR_DB,
        "float16",
        300.0,
    )
    words = [
        str(run),
        str(tmp_path),
        "--format",
        "litert",
        "--direction",
        "xy",
        "--variants",
        "float32",
        "float16",
    ]
    assert export.main(words) == 1
    said = capsys.readouterr()
    assert "refused: float16: PSNR" in said.out
    assert "--allow-lossy keeps them" in said.err
    names = {path.name for path in (tmp_path / "litert" / "zebra_xy").iterdir()}
    assert "float32.tflite" in names
    assert "float16.tflite" not in names
    assert export.main([*words, "--overwrite", "--allow-lossy"]) == 0
    assert (tmp_path / "litert" / "zebra_xy" / "float16.tflite").is_file()


@pytest.mark.slow
def test_a_keras_file_with_a_folder_of_images(run, tmp_path):
    file = run / "generator_yx.keras"
    words = [
        str(file),
        str(tmp_path),
        "--format",
        "litert",
        "--variants",
        "float32",
        "--size",
        "20",
    ]
    with pytest.raises(UserError, match="--images"):
        export.main(words)
    assert list(tmp_path.iterdir()) == []
    image_io.save(tmp_path / "mine" / "a.png", np.zeros((30, 24, 3), np.uint8))
    assert export.main([*words, "--images", str(tmp_path / "mine")]) == 0
    assert (
        tmp_path / "litert" / "generator_yx" / "float32.tflite"
    ).is_file()  # the direction in its name


class TestMistakes:
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--format", "coreml"], "--format|format"),
            (
                ["--size", "30"],
                r"--size is 30, but this network takes multiples of 4 from 16: take 28 or 32",
            ),
            (["--size", "8"], r"take 16 or 20"),
            (["--name", "a/b"], "--name is 'a/b'"),
            (["--sizes", "32"], "did you mean --size"),
            (["--variants", "int4"], "variants"),
            (["--images", "nowhere"], "there is no such folder"),
            (
                ["--checkpoint", "7"],
                r"--checkpoint is '7'; take best, last, or one of the steps .*: 3\.",
            ),
        ],
    )
    def test_options(self, run, tmp_path, words, message):
        with pytest.raises(UserError, match=message):
            export.main([str(run), str(tmp_path / "out"), *words])
        assert not (tmp_path / "out").exists()

    def test_no_run(self, tmp_path):
        with pytest.raises(UserError, match=r"neither a run directory nor a \.keras file"):
            export.main([str(tmp_path / "none"), str(tmp_path / "out")])
        (tmp_path / "empty").mkdir()
        with pytest.raises(UserError, match="not a run directory"):
            export.main([str(tmp_path / "empty"), str(tmp_path / "out")])

    def test_a_run_without_a_checkpoint(self, run, tmp_path):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "config.yaml").write_text((run / "config.yaml").read_text())
        with pytest.raises(UserError, match="no checkpoint yet; train it first"):
            export.main([str(tmp_path / "run"), str(tmp_path / "out")])

    def test_the_output_is_a_file(self, run, tmp_path):
        (tmp_path / "out").write_text("x")
        with pytest.raises(UserError, match="is a file; give a folder"):
            export.main([str(run), str(tmp_path / "out")])

    def test_a_missing_extra_prints_the_pip_line(self, run, tmp_path, monkeypatch):
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(
            UserError, match=r'tf2onnx and onnxruntime: pip install "cyclegan-tf\[onnx\]"'
        ):
            export.main([str(run), str(tmp_path / "out"), "--format", "onnx"])
        assert not (tmp_path / "out").exists()


def test_images_are_compared_at_the_size_asked_for(run):
    from cyclegan_tf.export.trained import open_trained

    assert squares(open_trained(run, "xy").test_images(), 8, 32).shape == (2, 32, 32, 3)
