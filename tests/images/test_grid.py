"""Grids: geometry to the pixel, every kind of image shown, titles drawn."""

import numpy as np
import pytest

from cyclegan_tf.images.grid import make_grid, with_bars
from cyclegan_tf.images.ranges import ValueRange


def plain(height, width, *values, dtype=np.uint8):
    return np.full((height, width, len(values)), values, dtype)


def test_geometry_without_titles():
    red, green, blue = plain(3, 4, 255, 0, 0), plain(3, 4, 0, 255, 0), plain(3, 4, 0, 0, 255)
    found = make_grid([[red, green], [blue]], gap_px=2)
    assert found.dtype == np.uint8
    expected = np.full((2 + 3 + 2 + 3 + 2, 2 + 4 + 2 + 4 + 2, 3), 255)
    expected[2:5, 2:6], expected[2:5, 8:12], expected[7:10, 2:6] = (
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
    )
    np.testing.assert_array_equal(found, expected)


def test_images_are_fitted_into_their_cell_and_centered():
    found = make_grid([[plain(8, 8, 0)], [plain(2, 4, 0)]], gap_px=0)
    assert found.shape == (
        8 + 2,
        8,
        3,
    )  # the second is as wide as the column allows with its row 2 high
    np.testing.assert_array_equal(np.flatnonzero(found[9, :, 0] == 0), [2, 3, 4, 5])
    found = make_grid([[plain(10, 5, 0)]], gap_px=1, cell_px=20)
    assert found.shape == (22, 22, 3)
    np.testing.assert_array_equal(np.flatnonzero(found[11, :, 0] == 0), np.arange(6, 16))
    np.testing.assert_array_equal(np.flatnonzero(found[:, 11, 0] == 0), np.arange(1, 21))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (plain(2, 2, 9), [9, 9, 9]),
        (plain(2, 2, 9, 8), [9, 8, 0]),
        (plain(2, 2, 9, 8, 7, 6), [9, 8, 7]),
        (plain(2, 2, 65535, 257, 0, dtype=np.uint16), [255, 1, 0]),
    ],
)
def test_any_number_of_channels_and_depth(image, expected):
    assert make_grid([[image]], gap_px=0).tolist() == [[expected] * 2] * 2


def test_titles_are_drawn_in_room_of_their_own():
    rows = [[plain(40, 60, 0, 0, 255)] * 2] * 2
    bare = make_grid(rows)
    titled = make_grid(
        rows,
        column_titles=["real x", "a title much too long for its column"],
        row_titles=["one", "two"],
    )
    top, left = titled.shape[0] - bare.shape[0], titled.shape[1] - bare.shape[1]
    assert top >= 12
    assert left >= 12
    np.testing.assert_array_equal(titled[top:, left:], bare)
    dark = (titled < 128).all(axis=-1)
    assert dark[: top + 4, left + 4 : left + 64].any()
    assert np.flatnonzero(dark[:top, left + 68 : left + 128].any(axis=0)).max() > 40
    assert not dark[:, left + 64 : left + 68].any()  # the long title stays in its column
    assert dark[top : top + 48, :left].any()
    assert dark[top + 48 :, :left].any()


def test_empty_grid_is_refused():
    for rows in ([], [[], []]):
        with pytest.raises(ValueError, match="at least one image"):
            make_grid(rows)


def test_bars_show_what_black_and_white_stand_for():
    grid = np.full((10, 300, 3), 7, np.uint8)
    assert with_bars(grid, {}) is grid
    ranges = {"X": ValueRange(-1000, 3000, "int16"), "Y": ValueRange(0, 2, "float32")}
    found = with_bars(grid, ranges)
    np.testing.assert_array_equal(found[:10], grid)
    assert found.shape[0] > 10 + 2 * 12
    middle = found[10 + 4 + 6].astype(int)  # through the first bar
    bar = middle[60:250, 0]
    assert (np.diff(bar) >= 0).all()
    assert bar[0] < 40 < 200 < bar[-1]
    assert with_bars(grid[:, :20], ranges).shape[1] > 64
