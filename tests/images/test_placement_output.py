"""What of a placement each kind of file is given; test_placement.py has whole files."""

import io

import numpy as np
from PIL import Image

from cyclegan_tf.images import profiles
from cyclegan_tf.images.placement import Placement
from cyclegan_tf.images.placement_output import in_jpeg, in_png, pillow_options, tifffile_options
from tests.helpers import image_files

WIDE = image_files.icc_profile(*image_files.WIDE)
DENSE = ((300, 1), (150, 1), 2)


def test_a_profile_only_where_its_colors_are():
    placement = Placement(profile=WIDE)
    assert pillow_options(placement, ".webp", 3) == {"icc_profile": WIDE}
    assert pillow_options(placement, ".webp", 1) == pillow_options(placement, ".bmp", 3) == {}
    assert tifffile_options(placement, 3)["iccprofile"] == WIDE
    assert "iccprofile" not in tifffile_options(Placement(profile=profiles.srgb()), 1)


def test_nothing_changes_nothing():
    for name, put in (("PNG", in_png), ("JPEG", in_jpeg)):
        stream = io.BytesIO()
        Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(stream, name)
        assert put(stream.getvalue(), Placement()) == stream.getvalue()
        dense = put(stream.getvalue(), Placement(density=DENSE))
        assert np.round(Image.open(io.BytesIO(dense)).info["dpi"]).tolist() == [300, 150]
