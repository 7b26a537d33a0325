"""Packages for the BioImage Model Zoo: what is in them, and the zoo's own word on them."""

import io
import zipfile

import numpy as np
import pytest
import yaml

from cyclegan_tf.errors import UserError
from cyclegan_tf.export import bioimageio
from cyclegan_tf.export import command as export
from tests.helpers.errors import refused

LEAVES_FILES_OPEN = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


def exported(run, out, *more):
    words = [str(run), str(out), "--format", "bioimageio", "--direction", "xy", "--size_px", "32"]
    assert export.main([*words, *more]) == 0
    return out / "bioimageio" / "run_xy" / "run_xy.zip"


@pytest.fixture
def without_onnx(monkeypatch):
    monkeypatch.setattr(bioimageio, "has_onnx", lambda: False)


def test_a_package_says_what_it_holds(tiny_run, tmp_path, without_onnx, monkeypatch):
    checked = []
    monkeypatch.setattr(bioimageio, "check_package", checked.append)
    path = exported(tiny_run, tmp_path, "--license", "mit", "--quiet")
    assert {file.name for file in path.parent.iterdir()} == {"run_xy.zip", "card.json"}
    assert str(tiny_run) not in (path.parent / "card.json").read_text()
    assert len(checked) == 1
    with zipfile.ZipFile(path) as archive:
        assert set(archive.namelist()) == {
            "rdf.yaml", "README.md", "cover.png", "generator.keras", "test_input.npy",
            "test_output.npy",
        }  # fmt: skip
        rdf = yaml.safe_load(archive.read("rdf.yaml"))
        given, made = (np.load(io.BytesIO(archive.read(f"test_{name}.npy")))
                       for name in ("input", "output"))  # fmt: skip
    assert (given.shape, given.dtype) == ((1, 32, 32, 3), np.float32)
    assert (made.shape, made.dtype) == (given.shape, np.float32)
    assert 0 <= made.min() < made.max() <= 255
    assert rdf["license"] == "MIT"
    sizes = [axis["size"] for axis in rdf["inputs"][0]["axes"] if axis["type"] == "space"]
    assert sizes == [{"min": 16, "step": 4}] * 2
    assert set(rdf["weights"]) == {"keras_v3"}
    with refused("exists"):
        exported(tiny_run, tmp_path)


@pytest.mark.slow
@LEAVES_FILES_OPEN
def test_what_the_zoo_refuses_is_refused(tmp_path):
    pytest.importorskip("bioimageio.spec", reason='needs pip install ".[bioimageio]"')
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("rdf.yaml", "type: model\nformat_version: 0.5.5\nname: m\n")
    with pytest.raises(UserError, match=r"m\.zip is not valid: .*(inputs|weights)"):
        bioimageio.check_package(tmp_path / "m.zip")


@pytest.mark.slow
@LEAVES_FILES_OPEN
def test_the_zoo_runs_it(tiny_run, tmp_path):
    core = pytest.importorskip("bioimageio.core", reason='needs pip install ".[bioimageio]"')
    pydantic = pytest.importorskip("pydantic")
    if pydantic.VERSION >= "2.14":
        pytest.skip("bioimageio.spec takes pydantic below 2.14")
    path = exported(tiny_run, tmp_path)
    with zipfile.ZipFile(path) as archive:
        found = yaml.safe_load(archive.read("rdf.yaml"))
    assert "license" not in found
    for weights in found["weights"]:
        assert core.test_description(path, weight_format=weights).status == "passed"
