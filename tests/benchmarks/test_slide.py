"""The synthetic slide."""

import numpy as np

from benchmarks.quality import slide
from cyclegan_tf.images.slides import tissue_of


def test_the_slide_holds_tissue_on_a_bright_ground():
    image = np.concatenate(list(slide.rows(600)))
    assert image.shape == (600, 600, 3)
    share = tissue_of(image).mean()
    assert 0.15 < share < 0.4
    assert not tissue_of(image[-60:, -60:]).any()
