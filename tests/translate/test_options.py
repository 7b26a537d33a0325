"""The options of `translate`, parsed."""

from cyclegan_tf.images.codecs import Kept
from cyclegan_tf.translate.options import build_parser, kept_of


def test_former_names_are_taken():
    found = build_parser().parse(["run", "in", "out", "--tile", "64", "--overlap", "8"])
    assert (found.tile_px, found.overlap_px) == (64, 8)
    assert found.labels is None
    assert kept_of(found) == Kept()


def test_what_is_asked_to_stay():
    words = ["run", "in", "out", "--keep_profile", "--keep_alpha"]
    assert kept_of(build_parser().parse(words)) == Kept(profile=True, alpha=True)
