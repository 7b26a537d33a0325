"""Images in tiles against the whole image: same colors, no seams, bounded memory and files."""

import shutil
import tracemalloc
from collections import namedtuple

import numpy as np
import pytest

from cyclegan_tf.images.strips import WholeImage
from cyclegan_tf.networks.builders import build_generator, size_divisor
from cyclegan_tf.translate.tiling import tiled as tiled_module
from cyclegan_tf.translate.tiling.tiled import TiledTranslator
from cyclegan_tf.translate.tiling.tilers import Cost, describe_cost
from cyclegan_tf.translate.translator import Translator
from tests.helpers.errors import refused

# With one block a pixel is seen by those up to 21 px away; a tile counts from 15 px inside its rim
# on.
TILE, OVERLAP = 128, 60


def network(**options):
    """Not trained, but far from linear."""
    made = build_generator(
        **{"architecture": "resnet_6blocks", "filters": 3, "blocks": 1, "seed": 5, **options}
    )
    for variable in made.trainable_variables:
        if "kernel" in variable.path:
            variable.assign(10 * variable)
    return made


@pytest.fixture(scope="module")
def plain():
    return network()


def uneven(height=150, width=205, dtype=np.uint8):
    """Brightness and texture that differ from corner to corner."""
    y, x = np.mgrid[0:height, 0:width]
    values = np.stack([x / width, y / height, 0.5 + 0.5 * np.sin(x * y / 900)], -1)
    values = 0.8 * values + 0.2 * (x / width)[..., None] * np.random.default_rng(0).uniform(
        size=(height, width, 3)
    )
    return np.rint(values * np.iinfo(dtype).max).astype(dtype)


def in_tiles(translator, image, folder):
    return np.concatenate(list(translator.rows(WholeImage(image), folder)))


def largest_difference(a, b):
    return np.abs(a.astype(int) - b.astype(int)).max()


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({}, 1),
        ({"color_skip": True, "long_skips": True}, 1),
        ({"upsampling": "resize", "norm_affine": True}, 1),
        ({"upsampling": "antialiased"}, 1),
        ({"norm": "batch"}, 1),
        ({"dtype_policy": "mixed_bfloat16"}, 8),
    ],
)
def test_tiles_give_what_the_whole_image_gives(tmp_path, options, most):
    made, image = network(**options), uneven()
    whole = Translator(made, 4)(image)
    tiled = TiledTranslator(made, 4, TILE, OVERLAP)
    assert tiled.tiling(*image.shape[:2]).count == 6
    found = in_tiles(tiled, image, tmp_path)
    assert (found.shape, found.dtype) == (image.shape, np.uint8)
    assert largest_difference(found, whole) <= most
    assert whole.std() > 20  # there is something to be wrong about
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_costs_time_only(plain, tmp_path, monkeypatch):
    image, tiled = uneven(96, 136), TiledTranslator(plain, 4, TILE, OVERLAP)
    kept = in_tiles(tiled, image, tmp_path)
    roomy = tiled.cost(96, 136, tmp_path)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1, 1, roomy.kept_bytes))
    full = tiled.cost(96, 136, tmp_path)
    assert (full.tiles, full.rounds, full.kept_bytes) == (roomy.tiles, roomy.rounds, 0) == (2, 8, 0)
    assert full.relative_cost > 2 * roomy.relative_cost
    monkeypatch.setattr(tiled_module, "TileTensorFiles", lambda folder: None)
    assert largest_difference(in_tiles(tiled, image, tmp_path), kept) <= 1


def test_sixteen_bits_stay_sixteen_and_every_tile_advances_the_bar(plain, tmp_path):
    image, ticks = uneven(96, 136, np.uint16), []
    tiled = TiledTranslator(plain, 4, TILE, OVERLAP)
    rows = list(tiled.rows(WholeImage(image), tmp_path, lambda: ticks.append(1)))
    whole = Translator(plain, 4)(image)
    assert rows[0].dtype == np.uint16
    assert (
        largest_difference(np.concatenate(rows), whole) <= 260
    )  # of 65535; 8 bits alone would be 257 off
    cost = tiled.cost(96, 136, tmp_path)
    assert len(ticks) == cost.tiles * cost.rounds


def test_a_unet_in_tiles_is_near_the_whole_and_far_nearer_than_plain_tiles(tmp_path):
    made = build_generator("unet_128", filters=3, seed=5)
    for variable in made.trainable_variables:
        variable.assign(8 * variable)
    image = uneven(256, 384)
    whole = Translator(made, 128)(image).astype(float)
    found = in_tiles(TiledTranslator(made, size_divisor("unet_128"), 256, 64), image, tmp_path)
    plain = np.concatenate(
        [Translator(made, 128)(image[:, left : left + 128]) for left in (0, 128, 256)], axis=1
    )
    error, of_plain = (np.abs(values - whole).mean() for values in (found, plain))
    assert error < 0.5 * of_plain


def test_stopped_midway_nothing_is_left(plain, tmp_path):
    rows = TiledTranslator(plain, 4, TILE, OVERLAP).rows(WholeImage(uneven()), tmp_path)
    next(rows)
    assert len(list(tmp_path.iterdir())) == 1
    rows.close()
    assert list(tmp_path.iterdir()) == []


def test_nan_is_one_sentence(tmp_path):
    made = network()
    made.get_layer("last").bias.assign([float("nan")] * 3)
    with refused("unsupported", match="holds NaN"):
        in_tiles(TiledTranslator(made, 4, TILE, OVERLAP), uneven(), tmp_path)


class Endless:
    """An image that is made as it is read."""

    width, dtype = 256, np.dtype(np.uint8)

    def __init__(self, height):
        self.height = height

    def read(self, top, bottom):
        return np.broadcast_to(
            np.arange(top, bottom)[:, None, None] % 256, (bottom - top, self.width, 3)
        ).astype("u1")


def test_memory_does_not_grow_with_the_height(tmp_path):
    tiled = TiledTranslator(network(filters=1), 4, 128, 16)
    peaks = []
    for height in (
        464,
        464,
        1024,
    ):  # the first also makes the graphs; tiles begin every 112 px in all
        image, seen = Endless(height), 0
        tracemalloc.start()
        for rows in tiled.rows(image, tmp_path):
            seen += len(rows)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert seen == height
    one_row_of_tiles = 128 * 256 * 3 * 4
    assert peaks[2] < peaks[1] + 0.25 * one_row_of_tiles
    assert peaks[2] > one_row_of_tiles  # what NumPy takes is counted


def test_a_cost_is_described():
    assert describe_cost(Cost(6, 1, 1.0, 0), 30, 20) == "30 x 20 in 6 tiles"
    kept = describe_cost(Cost(6, 24, 1.13, 3 * 2**29), 30, 20)
    assert kept.endswith(
        "24 rounds that take 1.1 times the work of one; 1.5 GiB wait beside the output meanwhile"
    )
    assert describe_cost(Cost(6, 24, 12.4, 0), 30, 20).endswith("12.4 times the work of one (less "
                                                            "with more free space beside the "
                                                            "output)")  # fmt: skip


@pytest.mark.parametrize(
    ("tile", "overlap", "message"),
    [
        (
            30,
            0,
            "--tile_px 30 with --overlap_px 0 does not do: this network takes tiles of a multiple "
            "of 4 px from 16 px on",
        ),
        (
            32,
            16,
            "--tile_px 32 with --overlap_px 16 does not do: tiles of 32 px can overlap by 0 to "
            "15 px",
        ),
    ],
)
def test_what_does_not_fit_is_one_sentence(plain, tile, overlap, message):
    with refused("invalid", "--tile_px") as caught:
        TiledTranslator(plain, 4, tile, overlap)
    assert caught.value.field == "--tile_px"
    assert "\n" not in str(caught.value)
