"""Names of outputs, and files that appear whole on any of Beam's file systems."""

import os

import pytest

pytest.importorskip("apache_beam", reason='needs Apache Beam: pip install "cyclegan-tf[beam]"')

from cyclegan_tf.translate_beam import files


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


def test_a_file_appears_whole_and_what_is_left_over_goes(tmp_path):
    target, partial = tmp_path / "deep" / "a.txt", f"{files.partial_folder(str(tmp_path))}/x"
    for text in (b"one", b"two"):
        files.write_whole(str(target), text, partial)
        assert target.read_bytes() == text
    assert os.listdir(tmp_path / "deep") == ["a.txt"]
    (tmp_path / ".partial" / "left").write_bytes(b"")
    files.remove_partial_files(str(tmp_path))
    files.remove_partial_files(str(tmp_path))
    assert os.listdir(tmp_path) == ["deep"]
