"""Rules of the networks' fields; those of each by itself are in test_config."""

import pytest

from cyclegan_tf.config.networks import NETWORK_FIELDS, Generator
from tests.helpers.errors import refused


def test_files_by_direction():
    assert Generator().network_files == {}
    assert Generator(init_file_yx="b.keras").network_files == {"yx": "b.keras"}
    assert Generator(init_file_xy="a.keras", init_file_yx="b.keras").network_files == {
        "xy": "a.keras",
        "yx": "b.keras",
    }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"init_file_xy": "a.pth"},
            r"generator\.init_file_xy is 'a\.pth', but it must be a \.keras file; python -m "
            r".*convert",
        ),
        (
            {"init_file_xy": "a.keras", "color_skip": "on"},
            "generator.color_skip is 'on', but a network out of a file",
        ),
        (
            {"init_file_xy": "a.keras", "init_file_yx": "b.keras", "blocks": 3},
            "generator.blocks is 3, but a network",
        ),
        (
            {"init_file_xy": "a.keras", "init_file_yx": "b.keras", "long_skips": "auto"},
            "generator.long_skips is 'auto', but a network out of a file is as it is: leave this "
            "out, or generator.init_file_xy and init_file_yx",
        ),
    ],
)
def test_what_does_not_go_with_a_file(fields, message):
    with refused("invalid", match=message, kind=ValueError):
        Generator(**fields)


def test_antialiased_is_for_residual_generators():
    assert Generator(upsampling="antialiased").upsampling == "antialiased"
    with refused("invalid", "generator.upsampling"):
        Generator(architecture="unet_256", upsampling="antialiased")


def test_with_one_file_the_other_is_built_as_asked():
    assert Generator(init_file_xy="a.keras", blocks=3, long_skips="on").blocks == 3


def test_all_other_fields_decide_how_a_generator_is_built():
    assert set(NETWORK_FIELDS) == set(vars(Generator())) - {"init_file_xy", "init_file_yx"}
