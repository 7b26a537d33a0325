"""Slides by level and by pixel size; where tissue lies."""

import numpy as np
import pytest

from cyclegan_tf.images import slides
from cyclegan_tf.images.pyramids import save_pyramid
from cyclegan_tf.images.slides import Scale, open_slide, otsu, tissue_of
from tests.helpers.errors import refused
from tests.helpers.slides import stained


@pytest.fixture
def slide(tmp_path):
    pytest.importorskip("tiffslide", reason='needs pip install ".[slides]"')
    image = stained(520, 1100)
    save_pyramid(tmp_path / "a.ome.tif", [image], image.shape, 0.5)
    return tmp_path / "a.ome.tif", image


@pytest.mark.parametrize(
    ("scale", "size", "mpp"),
    [
        (Scale(), (520, 1100), 0.5),
        (Scale(level=1), (260, 550), 1.0),
        (Scale(mpp=1.0), (260, 550), 1.0),
        (Scale(mpp=0.8), (325, 687), 0.8),
    ],
)
def test_rows_of_a_level_and_of_a_pixel_size(slide, scale, size, mpp):
    path, image = slide
    with open_slide(path, scale) as rows:
        assert (rows.height, rows.width) == size
        assert rows.mpp == pytest.approx(mpp)
        whole = rows.read(0, rows.height)
        assert whole.shape == (*size, 3)
        parts = [rows.read(top, min(top + 97, size[0])) for top in range(0, size[0], 97)]
        assert np.abs(np.concatenate(parts).astype(int) - whole).max() <= 1
        if scale == Scale():
            np.testing.assert_array_equal(whole, image)
        # Resized about its place: the means of both agree.
        np.testing.assert_allclose(whole.mean((0, 1)), image.mean((0, 1)), atol=1)


def test_tissue_is_what_is_stained(slide):
    path, image = slide
    with open_slide(path, Scale()) as rows:
        found = rows.tissue()
    truth = image[..., 1] < 200
    assert found.shape == truth.shape
    assert found[truth].all()
    assert found[~truth].mean() < 0.02  # the pixels beside it


def test_a_slide_without_stain_has_no_tissue():
    assert not tissue_of(np.full((20, 20, 3), 240, np.uint8)).any()
    gray = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, -1)
    assert not tissue_of(gray).any()


def test_otsu_parts_two_classes():
    values = np.array([10] * 50 + [12] * 30 + [90] * 40 + [95] * 20)
    assert 12 <= otsu(values) < 90


def test_what_cannot_be_had_is_refused(slide, tmp_path):
    path, image = slide
    with refused("invalid", "--level", match="has the levels 0 to 2"), open_slide(path, Scale(3)):
        pass
    save_pyramid(tmp_path / "b.ome.tif", [image], image.shape, None)
    with (
        refused("missing", "--mpp", match="give --level instead"),
        open_slide(tmp_path / "b.ome.tif", Scale(mpp=1)),
    ):
        pass
    (tmp_path / "c.svs").write_bytes(b"no")
    with refused("unreadable", str(tmp_path / "c.svs")), open_slide(tmp_path / "c.svs", Scale()):
        pass


def test_what_is_a_slide(tmp_path):
    assert slides.is_slide(tmp_path / "A.SVS", asked=False)
    assert not slides.is_slide(tmp_path / "a.ome.tif", asked=False)
    assert slides.is_slide(tmp_path / "a.ome.tif", asked=True)
    assert not slides.is_slide(tmp_path / "a.tif", asked=True)
    (tmp_path / "b.ndpi").touch()
    assert slides.is_slide_input(tmp_path, asked=False)
