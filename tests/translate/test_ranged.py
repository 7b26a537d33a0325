"""Files with ranges, translated by a network that gives back what it takes."""

import keras
import numpy as np
import pytest
import tifffile
from PIL import Image

from cyclegan_tf.images.headers import ImageError
from cyclegan_tf.images.ranges import FULL_RANGES, RangePair, ValueRange
from cyclegan_tf.images.strips import open_rows
from cyclegan_tf.images.training_scale import TrainingScale
from cyclegan_tf.translate.folder import translate_files
from cyclegan_tf.translate.ranged import Meaning, SignedRows
from cyclegan_tf.translate.tasks import Task
from cyclegan_tf.translate.tiling.large_files import translate_large_files
from cyclegan_tf.translate.tiling.tiled import TiledTranslator
from cyclegan_tf.translate.translator import Translator
from tests.helpers.errors import refused

HOUNSFIELD = ValueRange(-1024, 3071, "int16")
KINDS = [
    HOUNSFIELD,
    ValueRange(0, 4095, "uint16"),
    ValueRange(-32768, 32767, "int16"),
    ValueRange(0, 10_000, "int32"),
    ValueRange(-0.25, 1.75, "float32"),
    ValueRange(0, 255, "uint8"),
]


@pytest.fixture(scope="module")
def identity():
    inputs = keras.Input((None, None, 1))
    return keras.Model(inputs, keras.layers.Activation("linear")(inputs))


def drawn(kept, height=40, width=56, pages=()):
    """Numbers all over a range, its ends included."""
    found = np.random.default_rng(0).uniform(kept.low, kept.high, (*pages, height, width))
    found[..., 0, :2] = kept.low, kept.high
    return (found if kept.dtype == "float32" else np.rint(found)).astype(kept.dtype)


def translated(network, source, target, pair, tile_px=0, scale=None):
    translator = Translator(network, 4, *([scale] if scale else []), ranges=pair)
    meaning, tasks = Meaning(pair), [Task(source, target)]
    if tile_px:
        in_tiles = TiledTranslator(network, 4, tile_px, 4)
        outcomes = list(translate_large_files(in_tiles, translator, tasks, False, meaning))
    else:
        outcomes = list(translate_files(translator, tasks, meaning=meaning))
    return outcomes, meaning


@pytest.mark.parametrize("tile_px", [0, 16], ids=["whole", "tiles"])
@pytest.mark.parametrize("kept", KINDS, ids=str)
def test_there_and_back_is_exact_in_the_files_type(tmp_path, identity, kept, tile_px):
    written = drawn(kept)
    tifffile.imwrite(tmp_path / "in.tif", written)
    pair = RangePair(kept, kept)
    outcomes, meaning = translated(
        identity, tmp_path / "in.tif", tmp_path / "out.tif", pair, tile_px
    )
    assert [outcome.error for outcome in outcomes] == [None]
    found = tifffile.imread(tmp_path / "out.tif")
    assert found.dtype == written.dtype
    if kept.dtype == "float32":  # 2^-24 of the range, and as much of tiles' weights
        assert np.abs(found - written).max() <= 4 * 2.0 * 2**-24
    else:
        np.testing.assert_array_equal(found, written)
    assert meaning.line() == ""


def test_at_a_scale_too_numbers_are_never_rounded_on_the_way(tmp_path, identity):
    written = drawn(HOUNSFIELD)
    tifffile.imwrite(tmp_path / "in.tif", written)
    pair = RangePair(HOUNSFIELD, HOUNSFIELD)
    scale = TrainingScale("area", 24)
    translated(identity, tmp_path / "in.tif", tmp_path / "out.tif", pair, scale=scale)
    found = tifffile.imread(tmp_path / "out.tif").astype(int)
    # the detail's ridge regression: 0.1 % of the contrast, which is 590
    assert np.abs(found - written).mean() < 3


@pytest.mark.parametrize("tile_px", [0, 16], ids=["whole", "tiles"])
def test_one_unit_becomes_another_and_what_is_clipped_is_counted(tmp_path, identity, tile_px):
    written = np.full((40, 56), 1000, np.int16)
    written[0, :56] = -3000
    tifffile.imwrite(tmp_path / "in.tif", written)
    pair = RangePair(ValueRange(-1000, 3000, "int16"), ValueRange(0, 2, "float32"))
    _, meaning = translated(identity, tmp_path / "in.tif", tmp_path / "out.tif", pair, tile_px)
    found = tifffile.imread(tmp_path / "out.tif")
    assert found.dtype == np.float32
    assert np.abs(found[0]).max() < 1e-6
    assert np.abs(found[1:] - 1).max() < 1e-6
    assert meaning.clipped.share == 1 / 40
    assert meaning.line() == (
        "2.50% of the numbers, in 1 image, lay outside -1000 to 3000 (int16), what the network "
        "was trained on, and were clipped"
    )


def test_photographs_become_numbers_and_back(tmp_path, identity):
    levels = np.array([[0, 51, 255]], np.uint8).repeat(16, 0)
    Image.fromarray(levels).save(tmp_path / "in.png")
    pair = RangePair(None, HOUNSFIELD)
    translated(identity, tmp_path / "in.png", tmp_path / "ct.tif", pair)
    found = tifffile.imread(tmp_path / "ct.tif")
    assert found[0].tolist() == [-1024, -205, 3071]  # 4095 / 5 - 1024
    back = RangePair(HOUNSFIELD, ValueRange.of_type("uint8"))
    translated(identity, tmp_path / "ct.tif", tmp_path / "out.png", back)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.png")), levels)


def test_pages_each_in_their_numbers(tmp_path, identity):
    written = drawn(HOUNSFIELD, pages=(3,))
    tifffile.imwrite(tmp_path / "in.tif", written, photometric="minisblack")
    pair = RangePair(HOUNSFIELD, HOUNSFIELD)
    translated(identity, tmp_path / "in.tif", tmp_path / "out.tif", pair)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), written)


def test_a_kind_that_does_not_hold_the_numbers_is_refused(tmp_path, identity):
    np.save(tmp_path / "in.npy", drawn(HOUNSFIELD))
    pair = RangePair(HOUNSFIELD, HOUNSFIELD)
    (outcome,), _ = translated(identity, tmp_path / "in.npy", tmp_path / "out.jpg", pair)
    assert outcome.error.code == "unsupported"
    assert not (tmp_path / "out.jpg").exists()


def test_full_ranges_stay_levels(tmp_path):
    Image.new("L", (4, 4), 7).save(tmp_path / "a.png")
    meaning = Meaning(FULL_RANGES)
    assert meaning.is_full
    assert meaning.read(tmp_path / "a.png", 1).dtype == np.uint8
    with open_rows(tmp_path / "a.png", 1) as rows:
        assert SignedRows(rows, meaning, tmp_path / "a.png").dtype == np.uint8


def test_rows_of_large_files_are_read_by_pieces(tmp_path):
    written = drawn(HOUNSFIELD, 64, 48)
    tifffile.imwrite(tmp_path / "a.tif", written, tile=(16, 16), compression="zlib")
    meaning = Meaning(RangePair(HOUNSFIELD, HOUNSFIELD))
    with open_rows(tmp_path / "a.tif", 1, as_stored=True) as rows:
        assert type(rows).__name__ == "TiffRows"
        found = SignedRows(rows, meaning, tmp_path / "a.tif").read(17, 40)
    np.testing.assert_array_equal(found[..., 0], HOUNSFIELD.to_signed(written[17:40]))


def test_nan_names_the_file(tmp_path):
    np.save(tmp_path / "a.npy", np.full((4, 4), np.nan, np.float32))
    meaning = Meaning(RangePair(ValueRange(0, 1, "float32"), HOUNSFIELD))
    with refused("unreadable", str(tmp_path / "a.npy"), kind=ImageError):
        meaning.read(tmp_path / "a.npy", 1)
