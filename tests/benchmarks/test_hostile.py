"""The attack in small: a few of each kind, a second of load, a few idle connections."""

import itertools
import json

import pytest

from benchmarks.deploy import hostile, serve_load
from benchmarks.deploy import server as server_module
from benchmarks.deploy.attack import NONE, REFUSED, Attack, Want
from benchmarks.deploy.attacks import Attacks
from benchmarks.deploy.exchange import Answer, answers_in, problems
from benchmarks.deploy.oracle import Oracle, RefusedError
from benchmarks.deploy.server import newest_folder
from tests.helpers import preloaded, tiny_serving


def test_attacks_depend_on_their_seed_alone_and_are_of_all_kinds():
    def first(seed):
        return list(itertools.islice(Attacks("m", seed), 26))

    assert first(1) == first(1)
    assert first(1) != first(2)
    assert len({attack.kind for attack in first(1)}) == 13
    assert all(attack.parts and attack.wants for attack in first(1))


def test_answers_are_told_apart():
    two = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    two += b"HTTP/1.1 400 Bad Request\r\ncontent-length: 5\r\n\r\nno"
    assert answers_in(two) == [Answer(200, b"ok"), Answer(400, b"no")]
    assert answers_in(two, complete=True) == [Answer(200, b"ok")]
    assert answers_in(b"no HTTP") == []


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    tiny_serving.save(folder)
    return folder


@pytest.fixture(scope="module")
def oracle(out):
    return Oracle(newest_folder(out, "tiny_xy"))


def test_an_answer_must_be_the_models_own(oracle):
    data = tiny_serving.png(tiny_serving.image())
    body = tiny_serving.body(data)
    right, other = (
        json.dumps({"predictions": [tiny_serving.b64(png)]}).encode()
        for png in (oracle.file(data), data)
    )
    assert oracle.problem(body, right) is None
    assert "another answer" in oracle.problem(body, other)
    assert "should not have been" in oracle.problem(tiny_serving.body(data[:-20]), right)
    numbers = json.dumps({"instances": [[[[0.5, -1, 0.25]] * 2]]}).encode()
    assert (
        oracle.problem(numbers, b'{"predictions": [[[[-0.5, 1, -0.25],[-0.5, 1, -0.25]]]]}') is None
    )
    negated = b'{"predictions": [[[[-0.5, 1, -0.25],[-0.5, 1, -0.25]]]]}'
    assert oracle.problem(numbers, negated) is None
    assert oracle.problem(numbers, negated.replace(b"25]]", b"250001]]"))
    with pytest.raises(RefusedError):
        oracle.answer(b"{")
    assert oracle.problem_of_file(data, oracle.file(data)) is None
    assert "another answer" in oracle.problem_of_file(data, data)
    assert "should not have been" in oracle.problem_of_file(data[:-20], data)


@pytest.mark.parametrize(
    ("answers", "wrong"),
    [([Answer(400, b'{"error":"no"}')], 0), ([Answer(500, b'{"error":"no"}')], 1),
     ([Answer(400, b"no")], 1), ([Answer(400, b'{"error":"Traceback"}')], 1), ([Answer(NONE)], 1),
     ([Answer(400)] * 2, 1)],
    ids=["refused", "fault", "no sentence", "traceback", "none", "too many"],
)  # fmt: skip
def test_wrong_answers_are_found(answers, wrong, oracle):
    attack = Attack("JSON", (b"",), (Want(REFUSED),))
    assert len(problems(attack, answers, oracle)) == wrong


@pytest.mark.slow
def test_the_attack_runs(out, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(serve_load, "SAMPLE_SECONDS", 0.1)
    monkeypatch.setattr(server_module, "start", preloaded.popen)
    monkeypatch.setattr(hostile, "QUIET_SECONDS", 0.2)
    monkeypatch.setattr(hostile, "FLAT", 2)  # a second is too short to say
    words = ["--requests=65", "--seconds=1", "--connections=4", "--idle=30", "--size_px=16"]
    result = tmp_path / "hostile.json"
    status = hostile.main([str(out), *words, f"--out={result}"])
    found = json.loads(result.read_text())
    assert status == 0, (capsys.readouterr().out, found["problems"])
    assert len(found["statuses"]) == 13
    assert sum(sum(counts.values()) for counts in found["statuses"].values()) >= 65
    assert (found["wrong"], found["tracebacks"], found["load"]["good_failed"]) == (0, 0, 0)
    assert found["lines_of_others"] == []
    assert found["load"]["bad_sent"] > 0
    assert found["idle_opened"] >= 30
