"""Answers of every kind; what goes wrong on the way there is tested by `test_app.py`."""

import pytest

from cyclegan_tf.serve.http.answering import json_answer, refusal_answer
from cyclegan_tf.serve.models.limits import RequestError


@pytest.mark.parametrize("document", [{"a": 1}, b'{"a": 1}'])
def test_json_whether_encoded_or_not(document):
    answer = json_answer(document, 202, {"x-more": "1"})
    assert (answer.status_code, answer.headers["content-type"]) == (202, "application/json")
    assert answer.body.replace(b" ", b"").strip() == b'{"a":1}'
    assert answer.headers["x-more"] == "1"


@pytest.mark.parametrize("seconds", [None, 3])
def test_refusals_say_when_to_come_back_if_that_helps(seconds):
    answer = refusal_answer(RequestError(429, "full", seconds))
    assert answer.status_code == 429
    assert b"full" in answer.body
    assert answer.headers.get("retry-after") == (None if seconds is None else "3")
