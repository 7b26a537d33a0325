"""The comparison of two revisions: what it finds different and what it leaves out."""

import json

import numpy as np

from benchmarks.quality import compare_results, revision_commands, same_results
from tests.helpers.errors import refused


def checkpoint(path, state, **arrays):
    text = np.frombuffer(json.dumps(state).encode(), np.uint8)
    with path.open("wb") as file:
        np.savez(file, **arrays, **{"state.json": text})
    return path


def test_arrays_are_compared_bit_for_bit(tmp_path):
    kernel = np.arange(6, dtype=np.float32)
    moved = kernel + np.float32(1e-7)
    a = checkpoint(tmp_path / "a.npz", {"step": 4, "seconds": 1.0}, kernel=kernel, bias=kernel)
    b = checkpoint(tmp_path / "b.npz", {"step": 4, "seconds": 2.0}, kernel=moved, bias=kernel)
    assert [row.same for row in compare_results.compare_arrays("run", a, a)] == [True, True]
    arrays, state = compare_results.compare_arrays("run", a, b)
    assert (arrays.same, arrays.detail) == (False, "1 of 2 arrays differ: kernel")
    assert state.same  # times are left out
    c = checkpoint(tmp_path / "c.npz", {"step": 5}, kernel=kernel)
    arrays, state = compare_results.compare_arrays("run", a, c)
    assert "bias" in arrays.detail
    assert not state.same


def test_renamed_keys_are_compared_with_their_old_values(tmp_path):
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    old.write_text('{"step": 1, "colour_swd_xy": 3.5, "images_per_second": 2}\n')
    new.write_text('{"step": 1, "color_swd_xy": 3.5, "images_per_second": 9}\n')
    assert compare_results.compare_metrics("metrics", old, new).same
    new.write_text('{"step": 1, "color_swd_xy": 3.25}\n')
    row = compare_results.compare_metrics("metrics", old, new)
    assert (row.same, row.detail) == (False, "1 of 2 values differ: /0/color_swd_xy")


def test_files_are_compared_by_their_bytes(tmp_path):
    for name, content in (("a", b"one"), ("b", b"one"), ("c", b"two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(content)
    (tmp_path / "none").mkdir()

    def same(one, two):
        return compare_results.compare_files("images", tmp_path / one, tmp_path / two).same

    assert same("a", "b")
    assert not same("a", "c")
    assert not same("a", "none")
    assert not same("none", "none")  # a command that wrote nothing is no success


def test_the_same_images_are_drawn_each_time(tmp_path):
    for name in ("a", "b"):
        same_results.draw_images(tmp_path / name)
    assert compare_results.compare_files("images", tmp_path / "a", tmp_path / "b").same
    assert len(list((tmp_path / "a").iterdir())) == same_results.TRANSLATED


def test_an_unknown_revision_is_refused(tmp_path):
    with refused("unknown") as caught:
        same_results.extract("no-such-revision", tmp_path)
    assert caught.value.code == "unknown"


def test_options_are_spelled_as_the_revision_knows_them():
    def main(words):
        assert words == ["--help"]
        print("usage: translate [--tile_px TILE_PX] [--overlap OVERLAP] run")
        raise SystemExit(0)

    words = ["run", "--tile", "32", "--overlap", "8"]
    spelled = revision_commands.spelled(main, words)
    assert spelled == ["run", "--tile_px", "32", "--overlap", "8"]
