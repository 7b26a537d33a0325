"""A slide becomes a slide: tissue translated, background kept, pixel size told."""

import numpy as np
import pytest

from cyclegan_tf.images.pyramids import save_pyramid
from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.translate import command as translate
from cyclegan_tf.translate.slides import Tissue, slide_tasks
from tests.helpers.errors import refused
from tests.helpers.slides import stained

tifffile = pytest.importorskip("tifffile", reason='needs pip install ".[tiff]"')


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "g.keras"
    build_generator("resnet_6blocks", filters=2, blocks=1, seed=3).save(path)
    return path


@pytest.fixture
def slide(tmp_path):
    pytest.importorskip("tiffslide", reason='needs pip install ".[slides]"')
    image = stained(300, 600)
    path = tmp_path / "in" / "a.ome.tif"
    path.parent.mkdir()
    save_pyramid(path, [image], image.shape, 0.5)
    return path, image


def read(path):
    with tifffile.TiffFile(path) as file:
        return [level.asarray() for level in file.series[0].levels], file.ome_metadata


def test_tissue_is_translated_and_the_rest_kept(saved, slide, tmp_path):
    path, image = slide
    words = [str(saved), str(path), str(tmp_path / "out.ome.tif"), "--level", "0", "--quiet"]
    tiles = ["--tile_px", "64", "--overlap_px", "24", "--statistics", "local", "--patch_px", "64"]
    assert translate.main([*words, *tiles]) == 0
    (finest, half), description = read(tmp_path / "out.ome.tif")
    assert (finest.shape, half.shape) == (image.shape, (150, 300, 3))
    assert 'PhysicalSizeX="0.5"' in description
    tissue = image[..., 1] < 200
    np.testing.assert_array_equal(finest[:, 400:], image[:, 400:])
    assert np.abs(finest[tissue].astype(int) - image[tissue]).mean() > 20
    with refused("exists"):
        translate.main(words)


def test_a_folder_of_slides_at_a_level_on_white(saved, slide, tmp_path, capsys):
    path, _ = slide
    words = [str(saved), str(path.parent), str(tmp_path / "out"), "--level", "1"]
    more = ["--background", "white", "--tile_px", "64", "--overlap_px", "24"]
    assert translate.main([*words, *more]) == 0
    said = capsys.readouterr().out
    assert "1 microns per pixel" in said
    (finest, *_), description = read(tmp_path / "out" / "a.ome.tif")
    assert finest.shape == (150, 300, 3)
    assert (finest[:, 200:] == 255).all()
    assert 'PhysicalSizeX="1.0"' in description


def test_names_of_slides(tmp_path):
    (task,) = slide_tasks(tmp_path / "b.svs", tmp_path / "out", asked=False, into_folder=True)
    assert task.target == tmp_path / "out" / "b.ome.tif"
    with refused("unsupported", match=r"must end in \.ome\.tif"):
        slide_tasks(tmp_path / "b.svs", tmp_path / "b.png", asked=False, into_folder=False)


def test_tissue_by_rows_and_parts():
    tissue = Tissue(np.array([[False, True], [False, False]]), 100, 200)
    assert tissue.rows(49, 51).sum(1).tolist() == [100, 0]
    assert tissue.is_in(-20, 90, 30, 20)
    assert not tissue.is_in(50, 0, 80, 300)
    assert not tissue.is_in(0, -50, 100, 150)
