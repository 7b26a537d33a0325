"""What is checked before anything is written, and sizes."""

import pytest

from cyclegan_tf.export import exporter
from cyclegan_tf.export.exporter import ExportJob, export_generators, static_size
from cyclegan_tf.export.trained import TrainedGenerator
from cyclegan_tf.networks.builders import build_generator
from tests.helpers.errors import refused


def trained(size_divisor_px=4, size_px=64):
    return TrainedGenerator(
        build_generator("fast_style", filters=2, blocks=1),
        "xy",
        "",
        size_divisor_px,
        size_px,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("multiple", "crop", "wanted", "size"),
    [
        (4, 64, None, 64),
        (4, 64, 96, 96),
        (4, None, None, 256),
        (128, 200, None, 256),
        (4, 130, None, 132),
    ],
)
def test_sizes(multiple, crop, wanted, size):
    assert static_size(trained(multiple, crop), wanted) == size


@pytest.mark.parametrize(
    ("multiple", "wanted", "offered"), [(4, 30, "28 or 32"), (128, 100, "128 or 256"), (4, 4, "16")]
)
def test_sizes_that_will_not_do(multiple, wanted, offered):
    with refused("invalid", "--size_px") as caught:
        static_size(trained(multiple), wanted)
    assert (caught.value.code, caught.value.field) == ("invalid", "--size_px")


EXISTING = [
    (["litert"], "litert/run_xy"),
    (["web"], "web"),
    (["html"], "html/run.html"),
    (["hub"], "hub/run"),
    (["onnx"], "onnx/run_yx"),
    (["keras"], "keras/run_xy"),
]


@pytest.mark.parametrize(("formats", "there"), EXISTING)
def test_existing_outputs_are_refused_before_the_network_is_loaded(formats, there, tmp_path):
    (tmp_path / "out" / there).mkdir(parents=True)
    with refused("exists") as caught:
        export_generators(ExportJob(tmp_path / "run", tmp_path / "out", formats, ["xy", "yx"]))
    assert (caught.value.code, caught.value.field) == ("exists", str(tmp_path / "out" / there))


@pytest.mark.parametrize(("formats", "there"), EXISTING)
def test_what_is_no_export_is_never_replaced(formats, there, tmp_path):
    """Such as a run directory."""
    folder = tmp_path / "out" / there
    folder.mkdir(parents=True)
    (folder / "config.yaml").touch()
    job = ExportJob(tmp_path / "run", tmp_path / "out", formats, ["xy", "yx"], overwrite=True)
    with refused("exists", folder):
        export_generators(job)
    assert [path.name for path in folder.iterdir()] == ["config.yaml"]


def test_the_page_as_a_folder_and_as_one_file(npm, tmp_path, monkeypatch, caplog):
    network = build_generator("fast_style", filters=2, blocks=1)
    opened = TrainedGenerator(network, "xy", "", 4, 64, lambda: None, lambda: None)
    monkeypatch.setattr(exporter, "open_trained", lambda *_: opened)
    monkeypatch.setattr(exporter, "convert_with_metadata", lambda *_: b"model")
    with caplog.at_level("INFO", "cyclegan_tf"):
        assert (
            export_generators(ExportJob(tmp_path / "run", tmp_path, ["web", "html"], ["xy"])) == 0
        )
    assert (tmp_path / "web" / "models" / "run_xy.tflite").read_bytes() == b"model"
    page = (tmp_path / "html" / "run.html").read_text(encoding="utf-8")
    assert 'id="file:models/run_xy.tflite"' in page
    assert f"{tmp_path / 'html' / 'run.html'} (0.1 MB; open it with a browser)" in caplog.text
