"""The config's refusals."""

from dataclasses import dataclass

import pytest

from cyclegan_tf.config.checks import at_least, at_most, require, without_affine
from tests.helpers.errors import refused


@dataclass
class Section:
    norm: str = "instance"
    norm_affine: bool = False
    blocks: int | None = None


def test_what_holds_is_passed_over():
    require(True, "a.b", 3, "never told")
    at_least("a", Section(blocks=1), 1, "blocks")
    at_least("a", Section(blocks=None), 1, "blocks")
    at_most("a", Section(blocks=9), 9, "blocks")
    at_most("a", Section(blocks=None), 9, "blocks")
    for section in (Section("batch"), Section("instance", True), Section()):
        without_affine("a", section)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: require(False, "a.b", "x", "it must be y"), r"^a\.b is 'x', but it must be y\.$"),
        (
            lambda: at_least("a", Section(blocks=0), 1, "blocks"),
            r"^a\.blocks is 0, but it must be at least 1\.$",
        ),
        (
            lambda: at_least("a", Section(blocks=float("inf")), 1, "blocks"),
            r"^a\.blocks is inf, but it must be finite\.$",
        ),
        (
            lambda: at_most("a", Section(blocks=2**31), 4096, "blocks"),
            r"^a\.blocks is 2147483648, but it must be at most 4096\.$",
        ),
        (
            lambda: without_affine("a", Section("batch", True)),
            r"^a\.norm_affine is True, but a\.norm batch learns",
        ),
    ],
)
def test_what_does_not_hold_is_named(call, message):
    with refused("invalid", match=message, kind=ValueError):
        call()
