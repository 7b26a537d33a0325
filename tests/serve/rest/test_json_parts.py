"""Large JSON in portions: the same as json.loads in one, and nobody waits for it."""

import json
import random
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.serve.models.limits import RequestError
from cyclegan_tf.serve.rest import json_parts, protocol

ANY = {"a": tf.TensorSpec(None, tf.float64)}
TWO = {"a": tf.TensorSpec(None, tf.float64), "b": tf.TensorSpec(None, tf.string)}
REST = 2**20


@pytest.fixture
def small_portions(monkeypatch):
    """So that short bodies are cut as large ones are."""
    monkeypatch.setattr(json_parts, "_PORTION_BYTES", 7)
    monkeypatch.setattr(json_parts, "_MIN_ARRAY_BYTES", 1)


def read(body, specs=ANY):
    return protocol.input_arrays(protocol.parse_body(body), specs)


def by_json(text):
    """What json.loads makes of an array of numbers, or None."""
    try:
        value = json.loads(text, parse_constant=json_parts.refuse_constant)
        array = np.array(value)
    except ValueError:
        return None
    fits = isinstance(value, list) and array.dtype.kind in "if" and array.size
    return array if fits and array.ndim <= 8 else None


@pytest.mark.usefixtures("small_portions")
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,\n\t", ":")])
@pytest.mark.parametrize("shape", [(1,), (5,), (2, 1), (1, 2, 3, 3), (3, 1, 4, 1, 2)])
def test_numbers_are_those_of_json(shape, separators):
    wanted = np.random.default_rng(0).normal(size=shape)
    for form in ("instances", "inputs"):
        body = json.dumps({form: wanted.tolist()}, separators=separators).encode()
        np.testing.assert_array_equal(read(body)["a"], wanted)


@pytest.mark.usefixtures("small_portions")
def test_every_place_of_an_array():
    for document, specs in [
        ({"inputs": {"a": [[1, 2], [3, 4]]}}, ANY),
        ({"instances": [{"a": [1, 2]}, {"a": [3, 4]}]}, ANY),
        ({"inputs": {"a": [[1, 2], [3, 4]], "b": ["[1,2]"]}}, TWO),
        ({"instances": [{"b": '"[1', "a": [1, 2]}, {"a": [3, 4], "b": "\\"}]}, TWO),
    ]:
        found = read(json.dumps(document).encode(), specs)
        np.testing.assert_array_equal(found["a"], [[1, 2], [3, 4]])
    ragged = json.dumps({"instances": [{"a": [1, 2]}, {"a": [3]}]}).encode()
    with pytest.raises(RequestError, match="ragged"):
        read(ragged)


@pytest.mark.usefixtures("small_portions")
def test_what_json_refuses_is_refused():
    """Random changes of a small array: read as json.loads reads it, or refused as there."""
    rng = random.Random(3)
    accepted = 0
    for _ in range(4000):
        text = list(rng.choice(["[[1,2],[3,4]]", "[[[1.5],[-2e1]]]", "[ 1 ,[2]]", "[[1],[2],[3]]"]))
        for _ in range(rng.randint(0, 3)):
            at = rng.randrange(len(text) + 1)
            if rng.random() < 0.5:
                text[at : at + 1] = []
            else:
                text.insert(at, rng.choice("[],,10-.e \n"))
        text = "".join(text)
        wanted = by_json(text)
        try:
            found = read(b'{"instances": ' + text.encode() + b"}")["a"]
        except RequestError:
            assert wanted is None, text
            continue
        assert wanted is not None, text
        np.testing.assert_array_equal(found, wanted, text)
        accepted += 1
    assert accepted > 500


@pytest.mark.usefixtures("small_portions")
@pytest.mark.parametrize(
    ("text", "why"),
    [("[1, true]", "must hold float64, and true"), ("[null]", "must hold"), ("[NaN]", "NaN"),
     ("[[[[[[[[[1]]]]]]]]]", "deeper than 8"), ("[[1],2]", "ragged"), ("[1e]", "Expecting"),
     ("[" + "1" * 5000 + "]", "limit")],
)  # fmt: skip
def test_why_an_array_is_refused(text, why):
    with pytest.raises(RequestError, match=why) as caught:
        read(b'{"inputs": ' + text.encode() + b"}")
    assert caught.value.status == 400


@pytest.mark.usefixtures("small_portions")
def test_numbers_of_another_type():
    body = b'{"inputs": [1, 300]}'
    for dtype, why in {
        tf.uint8: "too large",
        tf.bool: "must hold bool",
        tf.string: "must hold",
    }.items():
        with pytest.raises(RequestError, match=why):
            read(body, {"a": tf.TensorSpec(None, dtype)})
    assert read(body, {"a": tf.TensorSpec(None, tf.int32)})["a"].dtype == np.int32


@pytest.mark.parametrize(
    "unit", [b"{},", b'"",', b"[0]}", b'{"a":[0]},', b"[", b"true,", b"[{},", b'["a"],', b"1,"]
)
def test_the_rest_of_a_body_is_bounded(unit, monkeypatch):
    monkeypatch.setattr(json_parts, "_MAX_REST_BYTES", REST // 16)
    body = b'{"instances": [' + unit * (REST // 4 // len(unit))
    with pytest.raises(RequestError, match="65,536 bytes"):
        protocol.parse_body(body)


def test_long_strings_count_for_nothing():
    text = 'A\\"' * REST
    body = json.dumps({"inputs": [text, "b"]}).encode()
    assert protocol.parse_body(body).value == [text, "b"]
    assert protocol.parse_body(b'{"inputs": ["' + b"\\" * 2 * REST + b'"]}').value == ["\\" * REST]


def longest_wait(work):
    """Seconds that this thread waited at once while another did `work`."""
    thread, longest = threading.Thread(target=work), 0.0
    thread.start()
    last = time.perf_counter()
    while thread.is_alive():
        time.sleep(0.002)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    return longest


def test_nobody_waits_for_a_large_body():
    """8 MB of `[0],` hold json.loads for more than a second."""
    body = b'{"instances": [' + b"[0]," * 2**21 + b"[0]]}"
    found = []
    waited = longest_wait(lambda: found.append(read(body)["a"].shape))
    assert found == [(2**21 + 1, 1)]
    assert waited < 0.5
