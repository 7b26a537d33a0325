"""Options that several commands have."""

import pytest

from cyclegan_tf import cli
from tests.helpers.errors import refused


def test_shared_options():
    parser = cli.Parser()
    cli.add_checkpoint_option(parser)
    cli.add_direction_option(parser)
    cli.add_output_options(parser, "Replace the target.")
    parsed = parser.parse(["--quiet"])
    assert (parsed.checkpoint, parsed.direction) == ("best", "xy")
    assert (parsed.overwrite, parsed.quiet) == (False, True)
    assert "Replace the target." in parser.format_help()
    with refused("invalid", "--direction"):
        parser.parse(["--direction", "both"])
    other = cli.Parser()
    cli.add_direction_option(other, None, both=True)
    assert other.parse([]).direction is None
    assert other.parse(["--direction", "both"]).direction == "both"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("AtoB", "xy"), ("atob", "xy"), ("BtoA", "yx"), ("A2B", "xy"), ("XY", "xy"), ("yx", "yx")],
)
def test_a_direction_goes_by_the_names_of_others_too(typed, meant):
    parser = cli.Parser()
    parser.add_argument("place", nargs="?")
    cli.add_direction_option(parser)
    for words in (["--direction", typed, "ab"], [f"--direction={typed}", "ab"]):
        parsed = parser.parse(words)
        assert (parsed.direction, parsed.place) == (meant, "ab")
    assert "AtoB" not in parser.format_help()  # one word is the canonical one
