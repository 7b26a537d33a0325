"""The export command, end to end and on everything that users get wrong."""

import json
import shutil
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.export import command as export
from cyclegan_tf.export import exporter
from cyclegan_tf.export.formats import VARIANTS
from cyclegan_tf.export.litert.converter import MIN_PSNR_DB
from cyclegan_tf.export.litert.runtime import LiteRTModel
from cyclegan_tf.export.trained import TrainedGenerator, calibration_images, open_trained
from cyclegan_tf.images import io as image_io
from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.runs import generators
from tests.helpers.errors import refused

REPORTS = {"parity.json", "parity.png", "card.json"}


@pytest.mark.slow
class TestEverything:
    def test_what_lies_where(self, tiny_export):
        found = {path for path in tiny_export.rglob("*") if path.is_file()}
        for direction, variants in (("xy", VARIANTS), ("yx", ["float32"])):
            version = tiny_export / "saved_model" / f"run_{direction}" / "1"
            assert {version / "saved_model.pb", version / "assets.extra/card.json"} <= found
            files = {f"{variant}.tflite" for variant in variants}
            folder = tiny_export / "litert" / f"run_{direction}"
            assert {path.name for path in folder.iterdir()} == files | REPORTS
        assert not any(".partial" in path.name for path in found)

    @pytest.mark.parametrize("direction", ["xy", "yx"])
    def test_each_direction_is_its_own_generator(self, tiny_export, tiny_run, direction):
        network, _ = generators.load_generator(tiny_run, direction, "float32")
        batch = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)
        wanted = network(batch).numpy()
        served = tf.saved_model.load(str(tiny_export / "saved_model" / f"run_{direction}" / "1"))
        outputs = served.signatures["full_size"](images=tf.constant(batch))["translated"]
        np.testing.assert_allclose(outputs, wanted, atol=1e-5)
        made = LiteRTModel(tiny_export / "litert" / f"run_{direction}" / "float32.tflite")(batch)
        np.testing.assert_allclose(made, wanted, atol=1e-5)

    def test_the_report_is_of_the_test_split(self, tiny_export):
        report = json.loads((tiny_export / "litert" / "run_xy" / "parity.json").read_text())
        rows = report["variants"]
        assert [row["variant"] for row in rows] == list(VARIANTS)
        assert {row["images"] for row in rows} == {2}
        assert rows[0]["psnr_db"] is None or rows[0]["psnr_db"] > 60
        assert all(row["not_finite"] == 0 for row in rows)

    def test_the_file_holds_where_it_came_from(self, tiny_export):
        path = tiny_export / "litert" / "run_xy" / "float16.tflite"
        inside = json.loads(zipfile.ZipFile(path).read("card.json"))
        beside = json.loads((path.parent / "card.json").read_text())
        assert inside["checkpoint"] == beside["checkpoint"]
        assert "step_000000003.npz" in inside["checkpoint"]
        assert inside["input"]["shape"] == [1, 32, 32, 3]
        assert set(beside["files"]) == {path.name for path in path.parent.iterdir()} - {"card.json"}

    def test_again_there_is_a_second_version_and_the_rest_wants_overwrite(
        self, tiny_export, tiny_run, tmp_path
    ):
        out = shutil.copytree(tiny_export, tmp_path / "out")
        words = [str(tiny_run), str(out), "--size_px", "32", "--quiet", "--direction", "xy"]
        words += ["--variants", "float32"]
        with refused("exists", match=r"litert/run_xy exists already.*--overwrite") as caught:
            export.main(words)
        assert (caught.value.code, caught.value.field) == ("exists", f"{out}/litert/run_xy")
        assert not (out / "saved_model" / "run_xy" / "2").exists()
        assert export.main([*words, "--overwrite", "--name", "other"]) == 0
        assert export.main([*words, "--format", "saved_model"]) == 0
        assert (out / "saved_model" / "run_xy" / "2").is_dir()


@pytest.mark.slow
def test_a_file_too_far_off_is_removed_and_the_status_is_1(tiny_run, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(MIN_PSNR_DB, "float16", 300.0)
    words = [str(tiny_run), str(tmp_path), "--format", "litert", "--direction", "xy"]
    assert export.main([*words, "--variants", "float32", "float16"]) == 1
    printed = capsys.readouterr()
    assert "refused: float16: PSNR" in printed.out
    assert "--allow_lossy keeps them" in printed.err
    names = {path.name for path in (tmp_path / "litert" / "run_xy").iterdir()}
    assert "float32.tflite" in names
    assert "float16.tflite" not in names
    assert export.main([*words, "--variants", "float16", "--overwrite", "--allow_lossy"]) == 0
    assert (tmp_path / "litert" / "run_xy" / "float16.tflite").is_file()


@pytest.mark.slow
def test_a_keras_file_with_a_folder_of_images(tiny_run, tmp_path):
    words = [str(tiny_run / "generator_yx.keras"), str(tmp_path), "--format", "litert"]
    words += ["--variants", "float32", "--size_px", "20"]
    with refused("missing", "--images") as caught:
        export.main(words)
    assert (caught.value.code, caught.value.field) == ("missing", "--images")
    assert list(tmp_path.iterdir()) == []
    # not a flat one, of which a network makes what the rounding of its normalizations leaves
    image = np.random.default_rng(0).integers(0, 256, (30, 24, 3), np.uint8)
    image_io.save(tmp_path / "mine" / "a.png", image)
    assert export.main([*words, "--images", str(tmp_path / "mine")]) == 0
    # The direction is the one in the file's name.
    assert (tmp_path / "litert" / "generator_yx" / "float32.tflite").is_file()


def job_of(monkeypatch, *words):
    """The job that a command line asks for."""
    jobs = []
    monkeypatch.setattr(exporter, "export_generators", lambda job: jobs.append(job) or 0)
    assert export.main(words) == 0
    return jobs[0]


def test_defaults(tiny_run, tmp_path, monkeypatch):
    job = job_of(monkeypatch, str(tiny_run), str(tmp_path))
    assert job.formats == ("saved_model", "litert")
    assert job.directions == ("xy", "yx")
    assert job.variants == VARIANTS
    assert (job.checkpoint, job.allow_lossy, job.overwrite) == ("best", False, False)
    assert (job.name, job.size_px, job.images, job.litertjs_dir) == (None,) * 4


def test_former_spellings_of_options(tiny_run, tmp_path, monkeypatch, capsys):
    images = tmp_path / "images"
    images.mkdir()
    old = ["--allow-lossy", "--size=32", "--pictures", str(images), "--litertjs", str(tmp_path)]
    job = job_of(monkeypatch, str(tiny_run), str(tmp_path), *old)
    assert (job.allow_lossy, job.size_px, job.images, job.litertjs_dir) == (
        True,
        32,
        images,
        tmp_path,
    )
    with pytest.raises(SystemExit):
        export.main(["--help"])
    shown = capsys.readouterr().out.split()
    assert {"--allow_lossy", "--size_px", "--images", "--litertjs_dir"} <= set(shown)
    assert not {"--allow-lossy", "--size", "--pictures", "--litertjs"} & set(shown)


class TestMistakes:
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--format", "coreml"], "--format|format"),
            (
                ["--size_px", "30"],
                r"--size_px is 30, but this network takes multiples of 4 from 16: take 28 or 32",
            ),
            (["--size_px", "8"], r"take 16 or 20"),
            (["--name", "a/b"], "--name is 'a/b'"),
            (["--sizes", "32"], "did you mean --size_px"),
            (["--variants", "int4"], "variants"),
            (["--images", "nowhere"], "--images: the folder nowhere does not exist"),
            (
                ["--checkpoint", "7"],
                r"--checkpoint is '7'; take best, last, or one of the steps .*: 3\.",
            ),
        ],
    )
    def test_options(self, tiny_run, tmp_path, words, message):
        with refused(["invalid", "missing", "unknown"], match=message):
            export.main([str(tiny_run), str(tmp_path / "out"), *words])
        assert not (tmp_path / "out").exists()

    def test_no_run(self, tmp_path):
        with refused("missing") as caught:
            export.main([str(tmp_path / "none"), str(tmp_path / "out")])
        assert (caught.value.code, caught.value.field) == ("missing", str(tmp_path / "none"))
        (tmp_path / "empty").mkdir()
        with refused("missing", match="not a run directory"):
            export.main([str(tmp_path / "empty"), str(tmp_path / "out")])

    def test_a_run_without_a_checkpoint(self, tiny_run, tmp_path):
        (tmp_path / "run").mkdir()
        shutil.copy(tiny_run / "config.yaml", tmp_path / "run")
        with refused("missing", match="no checkpoint yet; train it first"):
            export.main([str(tmp_path / "run"), str(tmp_path / "out")])

    def test_the_output_is_a_file(self, tiny_run, tmp_path):
        (tmp_path / "out").write_text("x")
        with refused("exists") as caught:
            export.main([str(tiny_run), str(tmp_path / "out")])
        assert (caught.value.code, caught.value.field) == ("exists", str(tmp_path / "out"))

    def test_a_missing_extra_prints_the_pip_line(self, tiny_run, tmp_path, monkeypatch):
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        pip_line = r'tf2onnx and onnxruntime: pip install "\.\[onnx\]"'
        with refused("dependency", "--format", match=pip_line) as caught:
            export.main([str(tiny_run), str(tmp_path / "out"), "--format", "onnx"])
        assert (caught.value.code, caught.value.field) == ("dependency", "--format")
        assert not (tmp_path / "out").exists()


def test_images_are_compared_at_the_size_asked_for(tiny_run):
    images = open_trained(tiny_run, "xy").test_images()
    assert calibration_images(images, 8, 32).shape == (2, 32, 32, 3)


@pytest.mark.parametrize(
    ("words", "code", "field"),
    [
        (["--license", "mit"], "invalid", "--license"),
        (["--push", "me/zebra"], "invalid", "--push"),
        (["--format", "hub", "--push", "zebra"], "invalid", "--push"),
        (["--format", "hub", "--license", "My Own"], "invalid", "--license"),
    ],
)
def test_options_of_the_hub(tiny_run, tmp_path, words, code, field):
    with refused(code, field):
        export.main([str(tiny_run), str(tmp_path / "out"), *words])
    assert not (tmp_path / "out").exists()


def test_the_folder_of_the_hub_is_uploaded_when_it_is_whole(tiny_run, tmp_path, monkeypatch):
    pushed = []
    monkeypatch.setattr(exporter, "require_hub", lambda name: None)
    monkeypatch.setattr(exporter, "open_trained", lambda *_: trained_stub())
    monkeypatch.setattr(exporter, "write_hub", lambda *given, **_: refusals.pop(0))
    monkeypatch.setattr(exporter, "push", lambda *given: pushed.append(given))
    refusals = [1, 0]
    job = exporter.ExportJob(tiny_run, tmp_path, ["hub"], ["xy"], push="me/zebra")
    assert exporter.export_generators(job) == 1
    assert pushed == []
    assert exporter.export_generators(job) == 0
    assert pushed == [(tmp_path / "hub" / "run", "me/zebra")]


def trained_stub():
    network = build_generator("fast_style", filters=2, blocks=1)
    return TrainedGenerator(network, "xy", "", 4, 64, lambda: None, lambda: None)
