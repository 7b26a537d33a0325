"""Rules of the networks' fields; those of each by itself are in test_config."""

import pytest

from cyclegan_tf.config.networks import NETWORK_FIELDS, Generator


def test_files_by_direction():
    assert Generator().network_files == {}
    assert Generator(network_yx="b.keras").network_files == {"yx": "b.keras"}
    assert Generator(network_xy="a.keras", network_yx="b.keras").network_files == {
        "xy": "a.keras",
        "yx": "b.keras",
    }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"network_xy": "a.pth"},
            r"generator\.network_xy is 'a\.pth', but it must be a \.keras file; python -m "
            r".*convert",
        ),
        (
            {"network_xy": "a.keras", "colour_skip": True},
            "generator.colour_skip is True, but a network out of a file",
        ),
        (
            {"network_xy": "a.keras", "network_yx": "b.keras", "blocks": 3},
            "generator.blocks is 3, but a network",
        ),
        (
            {"network_xy": "a.keras", "network_yx": "b.keras", "long_skips": "auto"},
            "generator.long_skips is 'auto', but a network out of a file is as it is: leave this "
            "out, or generator.network_xy and network_yx",
        ),
    ],
)
def test_what_does_not_go_with_a_file(fields, message):
    with pytest.raises(ValueError, match=message):
        Generator(**fields)


def test_with_one_file_the_other_is_built_as_asked():
    assert Generator(network_xy="a.keras", blocks=3, long_skips=True).blocks == 3


def test_all_other_fields_decide_how_a_generator_is_built():
    assert set(NETWORK_FIELDS) == set(vars(Generator())) - {"network_xy", "network_yx"}
