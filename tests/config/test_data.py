"""Rules of the images' fields."""

import pytest

from cyclegan_tf.config.data import Data
from tests.helpers.errors import refused


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"crop_size_px": 300}, "data.crop_size_px is 300.*load_size_px 286"),
        ({"x_dir": "a"}, "data.x_dir is given without data.y_dir"),
        ({"y_dir": "b"}, "data.y_dir is given without data.x_dir"),
        ({"hf_x": "a", "source": "hf:a/b"}, "data.hf_x is given without data.hf_y"),
        ({"hf_x": "a", "hf_y": "b"}, "data.hf_x is .*it is for data.source hf:USER/SET"),
        ({"batch_size": 0}, "data.batch_size is 0"),
        ({"max_pixels": 0}, "data.max_pixels is 0"),
        ({"preprocess": "none", "batch_size": 2}, "data.batch_size is 2"),
        ({"test_fraction": 1.0}, "data.test_fraction is 1.0"),
        ({"name_x": " "}, "data.name_x is ' ', but it must be a word or two"),
        ({"name_y": "a\nb"}, "data.name_y is"),
        ({"name_y": "a" * 37}, "data.name_y is"),
    ],
)
def test_rules_name_field_and_value(fields, message):
    with refused(["invalid", "missing"], match=message, kind=ValueError):
        Data(**fields)


def test_a_crop_larger_than_the_load_size_is_fine_where_nothing_is_resized_to_it():
    assert Data(preprocess="crop", crop_size_px=512).crop_size_px == 512
