"""Which file becomes which, and outputs that are refused."""

import os

import pytest
from PIL import Image

from cyclegan_tf.translate import tasks
from tests.helpers.errors import refused


def test_names_that_cannot_be_written_become_png(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.gif", "b.JPG"):
        (tmp_path / "in" / name).touch()
    planned = tasks.plan_tasks(tmp_path / "in", tmp_path / "out")
    assert [task.target.name for task in planned.tasks] == ["a.png", "b.JPG"]


def test_the_file_that_keeps_its_name_has_it(tmp_path):
    names = ["a.gif", "a.png", "b.gif", "b.jp2", "c.jfif"]
    for name in names:
        (tmp_path / name).touch()
    planned = tasks.plan_tasks(tmp_path, tmp_path / "out").tasks
    assert {task.source.name: task.target.name for task in planned} == {
        "a.gif": "a.gif.png",
        "a.png": "a.png",
        "b.gif": "b.png",
        "b.jp2": "b.jp2.png",
        "c.jfif": "c.jfif",
    }


def test_results_of_before_are_no_input_and_others_are_counted(tmp_path):
    for name in ("a.png", "b.psd", "out/deep/a.png", "out/c.psd"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    planned = tasks.plan_tasks(tmp_path, tmp_path / "out")
    assert [task.source for task in planned.tasks] == [tmp_path / "a.png"]
    assert planned.left_out == {".psd": 1}


def test_what_is_left_out_is_said(caplog):
    tasks.warn_of_left_out(tasks.Plan([]))
    assert not caplog.records
    tasks.warn_of_left_out(tasks.Plan([], {".psd": 5, ".txt": 1}))
    assert "left out: 6 files of kinds that are not read (5 .psd" in caplog.text


def test_an_output_that_is_its_own_input_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    image = tmp_path / "in" / "a.png"
    Image.new("RGB", (8, 8)).save(image)
    (tmp_path / "link.png").symlink_to(image)
    for source, target in (
        (image, image),
        (image, tmp_path / "in"),
        (tmp_path / "in", tmp_path / "in"),
    ):
        with refused("exists", match="is the input itself, which would be lost") as caught:
            tasks.plan_tasks(source, target)
        assert (caught.value.code, caught.value.field) == ("exists", str(image))
    with refused("exists", match=r"link\.png is the input itself"):
        tasks.plan_tasks(image, tmp_path / "link.png")


@pytest.mark.parametrize(
    ("source", "target", "code", "field", "message"),
    [
        ("no.png", "o.png", "missing", "no.png", "does not exist"),
        ("empty", "o", "missing", "empty", "holds no images"),
        ("in", "in/a.png", "mismatch", "in/a.png", "is a file, but a folder"),
        ("in/a.png", "o.xyz", "unsupported", "o.xyz", "must end in one of"),
    ],
)
def test_bad_paths(tmp_path, source, target, code, field, message):
    for name in ("in", "empty"):
        (tmp_path / name).mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "in" / "a.png")
    with refused(["mismatch", "missing", "unsupported"], match=message) as caught:
        tasks.plan_tasks(tmp_path / source, tmp_path / target)
    assert (caught.value.code, caught.value.field) == (code, str(tmp_path / field))


def test_existing_outputs_are_refused(tmp_path):
    (tmp_path / "b.png").touch()
    todo = [tasks.Task(tmp_path / "in.png", tmp_path / name) for name in ("a.png", "b.png")]
    with refused("exists", match=r"1 of 2 outputs exist already .* --overwrite") as caught:
        tasks.refuse_overwriting(todo)
    assert (caught.value.code, caught.value.field) == ("exists", str(tmp_path / "b.png"))
    tasks.refuse_overwriting(todo[:1])


def test_a_name_that_is_too_long_does_not_exist_and_is_nobodys_input(tmp_path):
    source, target = tmp_path / "a.png", tmp_path / f"{'n' * 252}.png"
    source.touch()
    tasks.refuse_same(source, target)
    tasks.refuse_overwriting([tasks.Task(source, target)])


def test_a_pipe_is_named(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with refused("unreadable", tmp_path / "a.png", match="is a pipe"):
        tasks.plan_tasks(tmp_path / "a.png", tmp_path / "b.png")
