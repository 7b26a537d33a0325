"""The path that was meant by one that is not there."""

from pathlib import Path

from cyclegan_tf.foreign.paths import meant


def test_the_most_similar_neighbor_of_the_right_kind_is_named(tmp_path):
    (tmp_path / "small").mkdir()
    (tmp_path / "smal.txt").touch()
    assert meant(tmp_path / "smal", Path.is_dir) == f"; did you mean {tmp_path / 'small'}?"
    assert meant(tmp_path / "smal") == f"; did you mean {tmp_path / 'small'}?"
    assert meant(tmp_path / "other") == ""
    assert meant(tmp_path / "no" / "smal") == ""
