"""Models and versions by their folders."""

import pytest

from cyclegan_tf.errors import UserError
from cyclegan_tf.serve.models import folders
from tests.helpers.errors import refused


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def test_models_are_found_from_each_place_that_holds_them(tmp_path):
    out = tmp_path / "out"
    touch(out / "saved_model" / "tiny_xy" / "1" / "saved_model.pb")
    wanted = {"tiny_xy": out / "saved_model" / "tiny_xy"}
    assert folders.find_models(out) == wanted
    assert folders.find_models(out / "saved_model") == wanted


@pytest.mark.parametrize(
    "inner", ["", "saved_model", "saved_model/a", "saved_model/.a/1", "saved_model/a/.partial-1"]
)
def test_nothing_to_serve_is_refused(tmp_path, inner):
    (tmp_path / inner).mkdir(parents=True, exist_ok=True)
    if inner.count("/") == 2:
        touch(tmp_path / inner / "saved_model.pb")
    with pytest.raises(UserError, match="nothing to serve") as caught:
        folders.find_models(tmp_path)
    assert (caught.value.code, caught.value.field) == ("missing", str(tmp_path))
    with pytest.raises(UserError, match="no such folder"):
        folders.find_models(tmp_path / "none")


def test_only_whole_numbers_with_a_model_are_versions(tmp_path):
    for name in ("1", "10", "0", "007", "00000123", "1a", "²", "-1", ".2", "9" * 30, "0" * 30):
        touch(tmp_path / name / "saved_model.pb")
    (tmp_path / "3").mkdir()
    touch(tmp_path / "4")
    assert sorted(folders.find_versions(tmp_path)) == [0, 1, 7, 10, 123]
    touch(tmp_path / "7" / "saved_model.pb")
    found = folders.find_versions(tmp_path)
    assert {number: path.name for number, path in found.items() if number in (0, 7, 123)} == {
        0: "0",
        7: "7",
        123: "00000123",
    }


def test_what_is_no_export_is_named(tmp_path):
    touch(tmp_path / "runs" / "demo" / "config.yaml")
    (tmp_path / "shipped" / "web").mkdir(parents=True)
    (tmp_path / "shipped" / "saved_model").mkdir()
    (tmp_path / "images" / "trainA").mkdir(parents=True)
    for given, said in (
        ("runs/demo", r"it is a run; export it first: python -m cyclegan_tf\.export \S+demo OUT"),
        ("images", "it is a data set; train on it, export the run"),
        ("shipped/web", r"it is a part of the export \S+shipped; serve that"),
        ("shiped", r"no such folder; .*; did you mean \S+shipped\?"),
    ):
        with refused("missing", tmp_path / given, match=said):
            folders.find_models(tmp_path / given)
