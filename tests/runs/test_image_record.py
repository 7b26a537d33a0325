"""data.json; how it is damaged is in test_run_directory.py."""

import json

from cyclegan_tf.images.ranges import FULL_RANGES, RangePair, ValueRange
from cyclegan_tf.runs import image_record
from tests.helpers.errors import refused


def test_names_and_sums(tmp_path):
    path = tmp_path / "data.json"
    assert image_record.read(path) is None
    names = {name: ["a"] for name in image_record.LISTS}
    for record in (names, names | {"sums": {"train_x": ["20 ab"]}}):
        path.write_text(json.dumps(record))
        assert image_record.read(path) == record
    path.write_text("[]")
    with refused("unreadable", path, match="it must hold the names of the run's images"):
        image_record.read(path)


def test_pairs(tmp_path):
    path = tmp_path / "data.json"
    assert image_record.pairs_in_words(path) == ""
    names = {name: ["a", "b", "c"] for name in image_record.LISTS}
    path.write_text(json.dumps(names))
    assert image_record.pairs_in_words(path) == ""
    path.write_text(json.dumps(names | {"pairs": [["a", "b"], ["b", "c"]]}))
    assert image_record.pairs_in_words(path) == "2 pairs of the 3 images of X and 3 of Y"
    for damaged in ({"a": "b"}, [["a"]], [["a", 3]]):
        path.write_text(json.dumps(names | {"pairs": damaged}))
        with refused("unreadable", path):
            image_record.read(path)


def test_ranges_of_both_directions(tmp_path):
    path = tmp_path / "data.json"
    assert image_record.ranges(path, "xy") == FULL_RANGES
    scan = ValueRange(-1000, 3000, "int16")
    names = {name: ["a"] for name in image_record.LISTS}
    kept = {"ranges": {"x": scan.as_dict(), "y": None}, "types": {"x": "int16", "y": "uint8"}}
    path.write_text(json.dumps(names | kept))
    assert image_record.ranges(path, "xy") == RangePair(scan, ValueRange(0, 255, "uint8"))
    assert image_record.ranges(path, "yx") == RangePair(None, scan)
    for damaged in ({"types": {"x": "int16", "y": "no type"}}, {"types": {}}):
        path.write_text(json.dumps(names | kept | damaged))
        with refused("unreadable", path):
            image_record.ranges(path, "xy")
