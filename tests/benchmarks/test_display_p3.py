"""Photographs of Display P3: the profile is what LittleCMS calls it, and the colors come out."""

import io

import numpy as np
from PIL import Image, ImageCms

from benchmarks.quality import display_p3
from cyclegan_tf.images.codecs import probe


def test_the_profile_is_that_of_the_standard():
    opened = ImageCms.ImageCmsProfile(io.BytesIO(display_p3.profile())).profile
    # as Apple's file has them
    for name, wanted in (
        ("red", (0.51512, 0.24120, -0.00105)),
        ("green", (0.29198, 0.69225, 0.04189)),
        ("blue", (0.15710, 0.06657, 0.78407)),
    ):
        found = getattr(opened, f"{name}_colorant")[0]
        np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert ImageCms.getProfileDescription(opened).strip() == "Display P3"


def test_photographs_and_their_twins(tmp_path, capsys):
    folder = tmp_path / "photographs"
    assert display_p3.main(["draw", str(folder), "--count", "5"]) == 0
    assert {path.parent.name for path in folder.rglob("*.*g")} == {
        *("trainA", "trainB", "testA", "testB")
    }
    (phone,) = (folder / "testA").iterdir()
    assert probe(phone).profile == display_p3.profile()
    assert np.asarray(Image.open(tmp_path / "twin" / "004.png")).shape == (128, 128, 3)
    assert display_p3.compare(folder / "testA", tmp_path / "twin")[1] <= 2
    assert display_p3.compare(tmp_path / "ignored", tmp_path / "twin")[1] > 20
    assert display_p3.main(["compare", str(folder / "testA"), str(tmp_path / "twin")]) == 0
    assert capsys.readouterr().out.startswith("mean 0.")
