"""The options of `translate`, parsed."""

from cyclegan_tf.translate.options import build_parser


def test_former_names_are_taken():
    found = build_parser().parse(["run", "in", "out", "--tile", "64", "--overlap", "8"])
    assert (found.tile_px, found.overlap_px) == (64, 8)
    assert found.labels is None
