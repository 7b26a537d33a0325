"""The mutated files, in small: how they are damaged, what counts as which fault, and one kind."""

import io
import json
import random
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from benchmarks.quality.mutations import trial
from benchmarks.quality.mutations.damage import Damaged, damaged
from benchmarks.quality.mutations.samples import EVERYWHERE, Kept, Sample, digest
from cyclegan_tf.errors import UserError
from tests.helpers.preloaded import Process

JSON = b'{\n "a": [1, 2],\n "b": {"c": "d"}\n}\n'


def archive():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("a.json", JSON)
        file.writestr("b", bytes(range(200)))
    return stream.getvalue()


def png():
    stream = io.BytesIO()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "own"),
    [(JSON, {"field", "encoding"}), (b"a: 1\nb: 2\n", {"field", "line", "encoding"}),
     (archive(), {"member"}), (png(), {"chunk"}), (bytes(range(256)), set())],
    ids=["json", "yaml", "zip", "png", "bytes"],
)  # fmt: skip
def test_damages_depend_on_their_seed_alone(data, own):
    plain = {"bits", "numbers", "zeros", "cut", "inserted", "deleted", "doubled", "swapped"}
    found = [damaged(data, random.Random(seed), [b"other"]) for seed in range(300)]
    assert found == [damaged(data, random.Random(seed), [b"other"]) for seed in range(300)]
    assert {one.how for one in found} == plain | {"empty", "other"} | own
    for one in found:
        if one.touched is not None:
            differing = {at for at in range(len(data)) if one.data[at] != data[at]}
            assert differing <= set(one.touched)


def test_what_is_resealed_has_right_checksums():
    for seed in range(300):
        one = damaged(archive(), random.Random(seed), [])
        if one.is_resealed:
            with zipfile.ZipFile(io.BytesIO(one.data)) as file:
                assert file.testzip() is None


@pytest.mark.parametrize(
    ("covered", "damage", "noticed"),
    [
        ((), Damaged("bits", b"", (3,)), False),
        ((), Damaged("cut", b""), True),
        (EVERYWHERE, Damaged("bits", b"", (3,)), True),
        (EVERYWHERE, Damaged("swapped", b""), True),
        (EVERYWHERE, Damaged("other", b""), False),
        (EVERYWHERE, Damaged("member", b"", is_resealed=True), False),
        ((range(2, 9),), Damaged("bits", b"", (3, 8)), True),
        ((range(2, 9),), Damaged("bits", b"", (3, 9)), False),
        ((range(2, 9),), Damaged("doubled", b""), False),
    ],
)
def test_what_must_be_noticed(tmp_path, covered, damage, noticed):
    sample = Sample("s", tmp_path / "a", tmp_path, lambda: None, covered)
    assert sample.must_be_noticed(damage) == noticed


def test_digests_differ_with_values_and_types():
    values = [1, 1.0, "1", [1, 2], [12], {"a": 1}, np.ones(2), np.ones((2, 1)), np.zeros(2)]
    assert len({digest(value) for value in values}) == len(values)
    assert digest({"a": [1, np.ones(2)]}) == digest({"a": [1, np.ones(2)]})


def test_a_folder_is_put_back(tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    kept = Kept(tmp_path)
    (tmp_path / "a").rename(tmp_path / "c")
    (tmp_path / "b").write_bytes(b"x")
    kept.put_back()
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found == {"a": b"a", "b": b"b"}


def outcome(tmp_path, read, damage, covered=()):
    path = tmp_path / "a"
    path.write_bytes(b"whole")
    trials = trial.Trials([Sample("s", path, tmp_path, lambda: read(path.read_bytes()), covered)])
    row = trials.one(trials.choose(0, random.Random(0))[0], damage)
    assert path.read_bytes() == b"whole"
    return row["outcome"]


def strict(data):
    if data != b"whole":
        raise UserError("a is damaged; bring it back.")


def careless(data):
    return {b"whole": 1}[data]


def test_outcomes(tmp_path):
    bits, cut = Damaged("bits", b"whale", (2,)), Damaged("cut", b"wh")
    assert outcome(tmp_path, strict, bits) == trial.REFUSED
    assert outcome(tmp_path, lambda _: 1, bits) == trial.UNCHANGED
    assert outcome(tmp_path, bytes, bits) == trial.BY_RIGHT
    assert outcome(tmp_path, bytes, bits, EVERYWHERE) == trial.SILENT
    assert outcome(tmp_path, bytes, cut) == trial.SILENT
    assert outcome(tmp_path, careless, bits) == trial.TRACEBACK
    with pytest.raises(RuntimeError, match="another result each time"):
        outcome(tmp_path, lambda _: random.random(), bits)


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_a_few_images(tmp_path):
    log = tmp_path / "log"
    with log.open("w") as file:
        words = ["--files", 24, "--kinds", "image", "--out", tmp_path / "out"]
        process = Process("benchmarks.quality.mutations", words, file.fileno())
    try:
        assert process.wait(200) == 0, log.read_text()
    finally:
        process.kill()
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert sum(sum(each.values()) for each in found["kinds"]["image"]["counts"].values()) == 24
    assert "| image | 24 |" in log.read_text()
