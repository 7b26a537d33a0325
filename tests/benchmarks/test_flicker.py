"""The flicker benchmark: its videos move where they say, its figures are those counted by hand, it
runs to a table."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.image_files import noise

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import flicker

from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io


@pytest.fixture
def photo():
    return noise(48, 64) // 2


def test_the_visitor_comes_crosses_and_leaves(photo, monkeypatch):
    monkeypatch.setattr(flicker, "NOISE_LEVELS", 0.0)
    video = flicker.visitor(photo, 21)
    bright = np.array([(frame == 245).all(-1).sum() for frame in video.frames])
    assert (bright[0], bright.max(), bright[-1]) == (0, 16 * 16, 0)
    for frame in video.frames:
        np.testing.assert_array_equal(frame[video.still], photo[video.still])
    assert 0.3 < video.still.mean() < 0.7


def test_pan_dusk_and_cut(photo, monkeypatch):
    monkeypatch.setattr(flicker, "NOISE_LEVELS", 0.0)
    pan = flicker.pan(photo, 5).frames
    for frame, start in zip(pan, (0, 8, 16, 24, 32), strict=True):
        np.testing.assert_array_equal(frame, photo[:, start : start + 32])
    dusk = flicker.dusk(photo, 3).frames
    np.testing.assert_array_equal(dusk[0], photo)
    np.testing.assert_array_equal(dusk[-1], np.rint(photo * (2 / 3)).astype(np.uint8))
    video = flicker.cut(photo, 255 - photo, 6)
    assert video.cut == 3
    np.testing.assert_array_equal(video.frames[2], photo)
    np.testing.assert_array_equal(video.frames[3], 255 - photo)


def test_noise_is_slight_and_new_in_each_frame(photo):
    video = flicker.visitor(photo + 40, 5)
    assert flicker.energy(video.frames, video.still) == pytest.approx(
        2 * (flicker.NOISE_LEVELS**2 + 1 / 12), rel=0.1
    )


def test_figures_by_hand():
    levels = [np.full((2, 2, 3), level, np.uint8) for level in (10, 13, 9)]
    levels[2][0] = 13
    assert flicker.energy(levels) == (9 + 16 / 2) / 2
    assert flicker.largest_step(levels) == 3
    area = np.array([[True, True], [False, False]])
    assert flicker.energy(levels, area) == 4.5
    video = flicker.Video(levels, None)
    found = flicker.measure(video, lambda frame: frame * 2, levels)
    assert found["energy"] == 4
    assert found["lag"] == pytest.approx((10 + 13 + 11) / 3)


def test_it_runs_to_a_table(tmp_path, monkeypatch, capsys):
    for index in range(3):
        image_io.save(
            tmp_path / "photos" / f"{index}.png", noise(8, 8, seed=index).repeat(5, 0).repeat(5, 1)
        )
    build = flicker.networks.build_generator
    tiny = {"filters": 2, "blocks": 1}
    monkeypatch.setattr(
        flicker.networks, "build_generator", lambda name, **options: build(name, **(options | tiny))
    )
    words = [
        "--images",
        str(tmp_path / "photos"),
        "--size",
        "32",
        "--frames",
        "8",
        "--half_lives",
        "0",
        "8",
    ]
    words += ["--videos", "visitor", "cut"]
    assert flicker.main([*words, "--out", str(tmp_path / "f.json")]) == 0
    told = capsys.readouterr().out
    assert "visitor: energy" in told
    assert "a scene begins above" in told
    results = json.loads((tmp_path / "f.json").read_text())["results"]
    assert set(results) == {"visitor", "cut"}
    assert all(found["0.0"]["lag"] == 0 for found in results.values())
    assert results["visitor"]["8.0"]["lag"] > 0


def test_too_few_images_are_told(tmp_path):
    image_io.save(tmp_path / "a.png", noise())
    with pytest.raises(UserError, match="holds 1 images, but two at least"):
        flicker.main(["--images", str(tmp_path), "--size", "16"])
    with pytest.raises(UserError, match="--frames must be 8 or more, and is 3"):
        flicker.main(["--images", str(tmp_path), "--frames", "3"])
