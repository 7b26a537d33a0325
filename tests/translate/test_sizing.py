"""`--size`: what it asks for, what is said, and what does not fit the memory."""

import struct

import numpy as np
import pytest

from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.training_scale import FULL, TrainingScale
from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.translate import command as translate
from cyclegan_tf.translate import sizing
from cyclegan_tf.translate.sizing import Sizing
from tests.helpers.errors import refused

AREA = TrainingScale("area", 64)


@pytest.mark.parametrize(
    ("wanted", "trained", "scale"),
    [
        ("auto", AREA, AREA),
        ("auto", None, FULL),
        ("full", AREA, FULL),
        ("128", AREA, TrainingScale("area", 128)),
        ("128", None, TrainingScale("area", 128)),
        ("128", TrainingScale("width", 64), TrainingScale("width", 128)),
    ],
)
def test_what_is_asked_for(wanted, trained, scale):
    assert Sizing.of(wanted, trained).scale == scale


@pytest.mark.parametrize("wanted", ["", "0", "-3", "1.5", "big", "²"])
def test_what_is_none(wanted):
    with refused("invalid", "--size"):
        Sizing.of(wanted, AREA)


@pytest.mark.parametrize(
    ("wanted", "side", "said"),
    [
        ("full", 96, ""),
        ("full", 100, "more than 1.5 times larger"),
        ("auto", 1000, ""),
        ("auto", 50, ""),
        ("auto", 40, "smaller than what the network was trained on"),
        ("full", 40, ""),
    ],
)
def test_remarks(wanted, side, said):
    remarks = Sizing.of(wanted, AREA).remarks(side, side)
    assert bool(remarks) == bool(said)
    assert said in "".join(remarks)


@pytest.fixture
def folder(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    for name in ("a.png", "b.png"):
        image_io.save(tmp_path / "in" / name, pixels)
    return tmp_path


def test_the_end_says_it_once(tiny_run, folder, capsys):
    words = [str(tiny_run), str(folder / "in"), str(folder / "out"), "--size", "full"]
    assert translate.main(words) == 0
    assert "2 files: more than 1.5 times larger" in capsys.readouterr().err


def test_a_file_that_does_not_say_is_remarked(folder, capsys):
    network = build_generator("resnet_6blocks", filters=2, blocks=1)
    network.save(folder / "g.keras")
    words = [str(folder / "g.keras"), str(folder / "in" / "a.png"), str(folder / "a.png")]
    assert translate.main(words) == 0
    assert "does not say how large images were" in capsys.readouterr().out


def test_tiles_are_for_full_size(tiny_run, folder):
    words = [str(tiny_run), str(folder / "in"), str(folder / "out"), "--tile_px", "32"]
    with refused("mismatch", "--tile_px"):
        translate.main([*words, "--size", "64"])
    assert translate.main([*words, "--overlap_px", "8"]) == 0


def test_memory_grows_with_pixels_and_filters():
    small, large = (build_generator("resnet_6blocks", filters=f, blocks=1) for f in (8, 16))
    one = sizing.needed_bytes(small, 1000, 1000)
    assert one == pytest.approx(4.5 * 8 * 4 * 1e6, rel=0.1)
    assert sizing.needed_bytes(small, 2000, 3000) == pytest.approx(6 * one)
    assert sizing.needed_bytes(large, 1000, 1000) == pytest.approx(2 * one, rel=0.1)


def test_what_does_not_fit_goes_in_tiles_or_is_refused_before(
    tiny_run, folder, capsys, monkeypatch
):
    monkeypatch.setattr(sizing, "free_memory_bytes", lambda: 10_000)
    monkeypatch.setattr(sizing, "TILE_PX", 32)
    words = [str(tiny_run), str(folder / "in"), str(folder / "out")]
    assert translate.main(words) == 0  # at the scale of training it fits always
    options = ["--size", "full", "--overwrite"]
    assert translate.main([*words, *options, "--overlap_px", "8"]) == 0
    assert "translated as by --tile_px 32" in capsys.readouterr().out
    with refused("memory", match="give --size auto"):
        translate.main([*words, *options, "--overlap_px", "31"])


def test_videos_too(tiny_run, tmp_path, capsys):
    pytest.importorskip("av")
    from tests.helpers.videos import images, write_video

    source = write_video(tmp_path / "a.mp4", images(2))
    words = [str(tiny_run), str(source), str(tmp_path / "b.mp4"), "--overwrite"]
    assert translate.main(words) == 0
    assert "frames are" not in capsys.readouterr().err
    assert translate.main([*words, "--size", "full"]) == 0
    assert "frames are more than 1.5 times larger" in capsys.readouterr().err


def test_a_header_that_claims_what_no_file_holds_sends_nothing_into_tiles(tmp_path):
    path = tmp_path / "a.tif"
    image_io.save(path, np.zeros((4, 4, 3), np.uint8))
    content = bytearray(path.read_bytes())
    place = content.index(struct.pack("<H", 257))  # the tag of the height
    content[place + 2 : place + 12] = struct.pack("<HII", 4, 1, 4_000_000_000)
    rows_per_strip = content.index(struct.pack("<H", 278), place)
    content[rows_per_strip + 1] = 0xCB  # of none then: all rows in one
    path.write_bytes(content)
    assert image_io.probe(path, 10**12).height == 4_000_000_000
    network = build_generator("resnet_6blocks", filters=2, blocks=1)
    assert sizing.too_large(network, [path]) is None
