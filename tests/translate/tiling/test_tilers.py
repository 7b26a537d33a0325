"""What an image costs, in words, and what tiles are refused."""

from cyclegan_tf.translate.tiling.tilers import Cost, describe_cost, tiling_of
from tests.helpers.errors import refused


def test_one_round_needs_few_words():
    assert describe_cost(Cost(12, 1, 1.7, 0), 900, 700) == "900 x 700 in 12 tiles"


def test_an_overlap_that_leaves_nothing_is_refused():
    assert tiling_of(100, 100, 64, 16, 4).count == 4
    with refused("invalid", "--tile_px", match="--overlap_px 40 does not do"):
        tiling_of(100, 100, 64, 40, 4)
