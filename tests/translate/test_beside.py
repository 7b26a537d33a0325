"""What is asked to stay as it is, stays where network and file can hold it, or that is said."""

from pathlib import Path

import pytest
from PIL import Image

from cyclegan_tf.images import profiles
from cyclegan_tf.images.codecs import Kept, probe
from cyclegan_tf.images.ranges import RangePair, ValueRange
from cyclegan_tf.translate.beside import Beside, refuse_pages
from tests.helpers import image_files

ALL = Kept(profile=True, alpha=True)
WIDE = image_files.icc_profile(*image_files.WIDE)


@pytest.fixture
def info(tmp_path):
    image = Image.fromarray(image_files.noise(4, 5, 4))
    image.save(tmp_path / "a.png", icc_profile=WIDE)
    return probe(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("channels", "suffix", "profile", "alpha"),
    [
        ((3, 3), ".png", True, True),
        ((3, 3), ".jpg", True, False),
        ((3, 3), ".bmp", False, False),
        ((3, 1), ".tif", False, True),
        ((1, 1), ".tif", False, True),
    ],
)
def test_what_can_be_kept(info, channels, suffix, profile, alpha):
    beside = Beside(*channels, ALL)
    placement, kept = beside.of(info, Path(f"b{suffix}"))
    assert (kept.profile, kept.alpha) == (profile, alpha)
    assert placement.profile == (WIDE if profile else profiles.srgb())
    assert (placement.alpha is not None) == alpha
    said = beside.remarks_on(info, kept, placement, Path(f"b{suffix}"))
    assert len(said) == (not profile) + (not alpha)


def test_without_being_asked_nothing_is_kept(info):
    placement, kept = Beside(3, 3).of(info, Path("b.png"))
    assert kept == Kept()
    assert placement.alpha is None
    said = kept, placement, Path("b.png")
    assert Beside(3, 3).remarks_on(info, *said) == ("transparency, laid on white",)
    assert Beside(4, 4).remarks_on(info, *said) == ()  # where it is a channel
    ranges = RangePair(None, ValueRange(0, 1, "int16"))
    assert Beside(3, 3, ALL, ranges).of(info, Path("b.tif"))[1] == Kept(profile=True)


def test_the_refusal_says_what_to_do(info):
    assert "name an output of .tif or .tiff or .png or .webp" in str(
        refuse_pages(info, Path("a.jpg"))
    )
    assert "save each as a file" in str(refuse_pages(info, Path("a.png")))
