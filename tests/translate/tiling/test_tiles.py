"""Where tiles lie and how they are blended: weights of one in all, every pixel once."""

import numpy as np
import pytest

from cyclegan_tf.translate.tiling.tiles import TileReader, Tiling, blended_rows


class Memory:
    """An image in memory that notes what was asked for."""

    def __init__(self, values):
        self.values, self.asked = values, []
        self.height, self.width = values.shape[:2]
        self.dtype = values.dtype

    def read(self, top, bottom):
        self.asked.append((top, bottom))
        return self.values[top:bottom]


SIZES = [(64, 64), (65, 63), (100, 200), (7, 300), (129, 31), (257, 190)]
CUTS = [(32, 8, 4, 16), (32, 0, 4, 16), (48, 20, 16, 16), (64, 24, 32, 16), (36, 17, 4, 1)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("cut", CUTS)
def test_tiles_cover_the_padded_image_on_the_networks_grid(size, cut):
    tile, overlap, multiple, least = cut
    tiling = Tiling.of(*size, *cut)
    for length, axis in zip(size, (tiling.rows, tiling.columns), strict=True):
        assert axis.padded_px % multiple == 0
        assert max(length, least) <= axis.padded_px < max(length, least) + multiple
        assert axis.tile_px == min(tile, axis.padded_px)
        assert all(start % multiple == 0 for start in axis.starts)
        assert axis.starts[0] == 0
        assert axis.starts[-1] + axis.tile_px == axis.padded_px
        steps = np.diff(axis.starts)
        assert (steps > 0).all()
        assert (axis.tile_px - steps >= overlap).all()
        total, covered = np.zeros(axis.padded_px), np.zeros(axis.padded_px, int)
        for start, weights, core in zip(axis.starts, axis.weights, axis.cores, strict=True):
            total[start : start + axis.tile_px] += weights
            covered[start + core.start : start + core.stop] += 1
            assert 0 <= core.start < core.stop <= axis.tile_px
            assert core.start % multiple == core.stop % multiple == 0
        np.testing.assert_allclose(total, 1, atol=1e-6)
        assert (covered == 1).all()


def test_the_rim_of_a_tile_counts_for_nothing_inside_the_image_only():
    axis = Tiling.of(96, 96, 48, 16, 4).rows
    assert axis.starts == (0, 24, 48)
    first, middle, last = axis.weights
    assert first[0] == last[-1] == 1
    assert (first[-6:] == 0).all()
    assert (middle[:6] == 0).all()
    assert (middle[-6:] == 0).all()
    assert (last[:6] == 0).all()


@pytest.mark.parametrize("size", SIZES)
def test_tiles_put_together_are_the_image_and_rows_come_once(size):
    values = np.random.default_rng(0).integers(0, 256, (*size, 2), np.uint8)
    image = Memory(values)
    tiling = Tiling.of(*size, 32, 8, 4, 16)
    read = TileReader(image, tiling)
    parts = list(blended_rows(tiling, lambda place: read(place).astype(np.float32)))
    np.testing.assert_allclose(np.concatenate(parts), values, atol=1e-3)
    # one row of tiles is read at a time, each once
    assert len(image.asked) == len(tiling.rows.starts)
    assert max(bottom - top for top, bottom in image.asked) <= 32
    assert max(len(part) for part in parts) <= 32


def test_margins_are_those_of_the_whole_image():
    values = np.random.default_rng(0).integers(0, 256, (37, 50, 3), np.uint8)
    tiling = Tiling.of(37, 50, 16, 4, 4)
    read = TileReader(Memory(values), tiling)
    padded = np.pad(values, [(1, 2), (1, 1), (0, 0)], mode="reflect")
    for place in tiling.places():
        top, left = tiling.rows.starts[place.row], tiling.columns.starts[place.column]
        np.testing.assert_array_equal(read(place), padded[top : top + 16, left : left + 16])


def test_a_seam_between_tiles_of_two_brightnesses_is_a_ramp():
    tiling = Tiling.of(16, 96, 64, 31, 4, 16)
    parts = blended_rows(
        tiling, lambda place: np.full((16, 64, 1), float(place.column), np.float32)
    )
    (rows,) = parts
    line = rows[0, :, 0]
    assert (line[:40] == 0).all()
    assert (line[56:] == 1).all()
    np.testing.assert_allclose(np.diff(line[40:56]), 1 / 16, atol=1e-6)


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        ((30, 8, 4), "multiple of 4 px from 16 px on"),
        ((12, 0, 4), "multiple of 4 px from 16 px on"),
        ((0, 0, 4), "multiple of 4 px"),
        ((32, 16, 4), "tiles of 32 px can overlap by 0 to 15 px"),
        ((32, -1, 4), "tiles of 32 px can overlap by 0 to 15 px"),
        ((64, 30, 64), "tiles of 64 px can overlap by 0 to 0 px"),
    ],
)
def test_what_does_not_fit_is_refused(cut, message):
    with pytest.raises(ValueError, match=message):
        Tiling.of(100, 100, *cut, 16)
