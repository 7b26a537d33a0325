"""Answers in JSON: the form of the request, and each number in its shortest text."""

import base64
import json

import numpy as np
import pytest

from cyclegan_tf.serve.models.limits import RequestError
from cyclegan_tf.serve.rest import answers
from tests.serve.rest.test_json_parts import longest_wait


def b64(data):
    return {"b64": base64.b64encode(data).decode()}


def test_answers_have_the_form_of_the_request():
    numbers, files = np.array([[0.5, -1]], np.float32), np.array([b"\xff"], object)
    assert json.loads(answers.encode_response({"a": numbers}, True)) == {
        "predictions": [[0.5, -1.0]]
    }
    assert json.loads(answers.encode_response({"a": numbers}, False)) == {"outputs": [[0.5, -1.0]]}
    assert json.loads(answers.encode_response({"a_bytes": files}, True)) == {
        "predictions": [b64(b"\xff")]
    }
    assert json.loads(answers.encode_response({"a": files}, True)) == {"predictions": ["\ufffd"]}
    both = {"a": numbers, "b_bytes": files}
    assert json.loads(answers.encode_response(both, True)) == {
        "predictions": [{"a": [0.5, -1.0], "b_bytes": b64(b"\xff")}]
    }
    assert json.loads(answers.encode_response(both, False)) == {
        "outputs": {"a": [[0.5, -1.0]], "b_bytes": [b64(b"\xff")]}
    }
    with pytest.raises(RequestError, match="'inputs' instead"):
        answers.encode_response({"a": np.zeros(2), "b": np.zeros(3)}, True)


def test_floats_survive_the_way():
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    back = json.loads(answers.encode_response({"a": values}, False))["outputs"]
    np.testing.assert_array_equal(np.array(back, np.float32), values)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_numbers_have_their_shortest_text(dtype):
    """NumPy's own shortest text has as many digits."""
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2**16 if dtype == np.float16 else 2**32, 20_000)
    any_bits = bits.astype(np.uint16 if dtype == np.float16 else np.uint32).view(dtype)
    values = np.concatenate([rng.uniform(-1, 1, 20_000).astype(dtype), any_bits])
    values = values[np.isfinite(values)]
    found = answers.shortest(values)
    np.testing.assert_array_equal(found.astype(dtype), values)
    usual = (np.abs(found) > 1e-12) & (np.abs(found) < 1e12)
    usual &= np.abs(np.frexp(found)[0]) != 0.5  # at powers of two the next number is nearer below

    def digits(text):
        return len(text.split("e")[0].replace(".", "").replace("-", "").strip("0"))

    for ours, value in zip(found[usual].tolist(), values[usual], strict=True):
        assert digits(repr(ours)) <= digits(str(value)), value


def test_special_numbers_and_other_types_stay():
    special = np.array([0.0, -0.0, 1.0, np.nan, np.inf, 1e-45, 3.4028235e38], np.float32)
    found = answers.shortest(special)
    np.testing.assert_array_equal(found.astype(np.float32), special)
    assert str(found[1]) == "-0.0"
    assert answers.shortest(np.array(0.1, np.float32)).tolist() == 0.1
    for array in (np.array([0.1]), np.array([1, 2]), np.array([True])):
        assert answers.shortest(array) is array


@pytest.mark.parametrize(
    "shape", [(), (0,), (3,), (40_000,), (2, 100, 200, 3), (30_000, 2), (1, 1)]
)
def test_portions_make_one_list(shape):
    array = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    text = answers.encode_response({"a": array}, rows=False)
    assert (
        text
        == json.dumps({"outputs": answers.shortest(array).tolist()}, separators=(",", ":")).encode()
    )


def test_rows_of_several_outputs():
    outputs = {"a": np.array([0.1, 0.2], np.float32), "b": np.array([[1, 2], [3, 4]])}
    assert json.loads(answers.encode_response(outputs, True)) == {
        "predictions": [{"a": 0.1, "b": [1, 2]}, {"a": 0.2, "b": [3, 4]}]
    }


def test_nobody_waits_for_a_large_answer():
    """Four megapixels of numbers hold json.dumps for seconds."""
    array = np.random.default_rng(0).uniform(-1, 1, (1, 1024, 512, 3)).astype(np.float32)
    found = []
    waited = longest_wait(lambda: found.append(answers.encode_response({"a": array}, True)))
    assert 16e6 < len(found[0]) < 19e6
    assert waited < 0.3
