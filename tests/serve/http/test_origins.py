"""Hosts and origins that may ask a server of this machine."""

import pytest

from cyclegan_tf.serve.http import origins


@pytest.mark.parametrize(
    ("host", "wanted"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("[::1]", True), ("localhost", True),
     ("LOCALHOST.", True), ("a.localhost", True), ("0.0.0.0", False), ("example.com", False),
     ("127.0.0.1.example.com", False), ("", False)],
)  # fmt: skip
def test_names_of_this_machine(host, wanted):
    assert origins.is_loopback(host) == wanted


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [({}, True), ({"host": "localhost:8501"}, True), ({"host": "[::1]:1"}, True),
     ({"host": "evil.com:8501"}, False), ({"host": "127.0.0.1@evil.com"}, False),
     ({"host": "My.Name"}, True), ({"host": "[::1"}, False), ({"host": ""}, False),
     ({"host": "127.0.0.1", "origin": "http://127.0.0.1:8501"}, True),
     ({"host": "127.0.0.1", "origin": "https://evil.com"}, False),
     ({"host": "127.0.0.1", "origin": "null"}, False)],
)  # fmt: skip
def test_pages_of_other_places_are_refused(headers, wanted):
    raw = [(key.encode(), value.encode()) for key, value in headers.items()]
    assert (origins.refusal(raw, ["my.name"]) is None) == wanted


def test_two_lengths():
    assert origins.has_two_lengths([(b"content-length", b"1"), (b"transfer-encoding", b"chunked")])
    assert not origins.has_two_lengths([(b"content-length", b"1")])
