"""The attack in small: a few hostile requests, a second of load, a few idle connections."""

import itertools
import json

import pytest

from benchmarks.deploy import hostile, serve_load
from tests.helpers import tiny_serving


def test_hostile_requests_depend_on_their_seed_alone():
    def first(seed):
        requests = hostile.hostile_requests("/p", serve_load.image(8), seed)
        return list(itertools.islice(requests, 50))

    assert first(1) == first(1)
    assert first(1) != first(2)


@pytest.mark.slow
def test_the_attack_runs(tmp_path, monkeypatch, capsys):
    tiny_serving.save(tmp_path / "out")
    monkeypatch.setattr(serve_load, "SAMPLE_SECONDS", 0.1)
    words = ["--requests=150", "--seconds=1", "--connections=4", "--idle=30", "--size_px=16"]
    out = tmp_path / "hostile.json"
    assert hostile.main([str(tmp_path / "out"), *words, f"--out={out}"]) == 0, capsys.readouterr()
    found = json.loads(out.read_text())
    assert sum(found["statuses"].values()) == 150
    assert found["statuses"]["400"] > 50
    assert (found["answers_5xx"], found["load"]["good_failed"], found["load"]["bad_wrong"]) == (
        0,
    ) * 3
    assert found["idle_opened"] >= 30
