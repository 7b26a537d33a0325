"""Names of outputs, and files that appear whole on any of Beam's file systems."""

import os

import pytest

pytest.importorskip("apache_beam", reason='needs Apache Beam: pip install ".[beam]"')

from apache_beam.io.filesystem import FileMetadata, MatchResult

from cyclegan_tf import atomic
from cyclegan_tf.translate_beam import files
from tests.helpers import image_files
from tests.helpers.errors import refused


@pytest.mark.parametrize(
    ("pattern", "fixed"),
    [
        ("/a/b/*.png", "/a/b/"),
        ("/a/b/**", "/a/b/"),
        ("/a/b*/c/*.png", "/a/"),
        ("/a/x?/c.png", "/a/"),
        ("/a/[bc].png", "/a/"),
        ("/a/b/c.png", "/a/b/"),
        ("gs://bucket/in/**.jpg", "gs://bucket/in/"),
    ],
)
def test_outputs_are_named_relative_to_what_comes_before_the_wildcards(pattern, fixed):
    assert files.fixed_part(pattern) == fixed
    assert files.target_of(f"{fixed}d/e.png", pattern, "/out/") == "/out/d/e.png"


def test_what_is_read_but_not_written_becomes_png():
    assert files.target_of("/in/a.gif", "/in/*", "s3://b/out") == "s3://b/out/a.png"
    assert files.target_of("/in/a.JPG", "/in/*", "/out") == "/out/a.JPG"


def test_a_file_appears_whole(tmp_path):
    target = tmp_path / "deep" / "a.txt"
    for text in (b"one", b"two"):
        files.write_whole(str(target), text, "")
        assert target.read_bytes() == text
    assert os.listdir(tmp_path / "deep") == ["a.txt"]


def test_each_job_has_a_folder_of_its_own(tmp_path):
    output = str(tmp_path / "out")
    (tmp_path / "out" / ".partial").mkdir(parents=True)
    with files.partial_folder(output) as one, files.partial_folder(output) as other:
        for folder in (one, other):
            assert os.path.dirname(folder) == output
            os.makedirs(folder, exist_ok=True)
        assert one != other
        with files.partial_folder(output):
            pass
        assert os.path.isdir(one)
        assert os.path.isdir(other)
    assert os.listdir(output) == [".partial"]


def test_on_other_file_systems_only_what_dead_jobs_left_goes(monkeypatch):
    living, dead = atomic.partial_name(), atomic.partial_name()
    letters = atomic.partial_name(".jsonl")
    stored = [
        ".partial-1/theirs",
        f"{living}/a.png",
        f"{dead}/deep/b.png",
        f"{dead}/c.png",
        letters,
    ]
    deleted = []

    def match(patterns):
        within = {"fake://out/.partial-*/**": True, "fake://out/.partial-*": False}.get(patterns[0])
        found = [f"fake://out/{name}" for name in stored if ("/" in name) == within]
        return [MatchResult(patterns[0], [FileMetadata(path, 1, 5.0) for path in found])]

    monkeypatch.setattr(files.FileSystems, "get_scheme", lambda path: "fake")
    monkeypatch.setattr(files.FileSystems, "match", match)
    monkeypatch.setattr(files.FileSystems, "exists", lambda path: False)
    monkeypatch.setattr(files.FileSystems, "delete", deleted.extend)
    monkeypatch.setattr(
        files, "is_abandoned", lambda name, change: name in (dead, letters) and change() == 5
    )
    with files.partial_folder("fake://out/") as folder:
        assert folder.startswith("fake://out/.partial-")
    assert deleted == [f"fake://out/{dead}", f"fake://out/{letters}"]


def test_a_folder_that_cannot_be_entered_is_an_error(tmp_path, monkeypatch):
    image_files.lock_folder(tmp_path / "in" / "locked", monkeypatch)
    with refused("unreadable", tmp_path / "in" / "locked"):
        files.refuse_unreadable_folders(f"{tmp_path}/in/**")
    files.refuse_unreadable_folders("gs://bucket/in/**")
