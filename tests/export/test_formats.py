"""Names the command line offers."""

import subprocess
import sys

import pytest

from cyclegan_tf.export.formats import FORMATS, VARIANTS
from cyclegan_tf.export.litert.converter import MIN_PSNR_DB


def test_every_variant_has_a_bound_and_they_fall():
    bounds = [MIN_PSNR_DB[variant] for variant in VARIANTS]
    assert bounds == sorted(bounds, reverse=True)
    assert len(FORMATS) == len(set(FORMATS)) == 8


@pytest.mark.slow
def test_they_cost_no_import_of_tensorflow():
    program = "import sys, cyclegan_tf.export.formats; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
