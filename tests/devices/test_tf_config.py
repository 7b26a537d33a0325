"""TF_CONFIG as people and schedulers write it."""

import json

import pytest

from cyclegan_tf.devices import tf_config as cluster
from tests.helpers.errors import refused


def of(jobs, kind="worker", index=0):
    return cluster.of_environment(
        {"TF_CONFIG": json.dumps({"cluster": jobs, "task": {"type": kind, "index": index}})}
    )


def test_without_a_second_machine_there_is_no_cluster():
    assert cluster.of_environment({}) is None
    assert cluster.of_environment({"TF_CONFIG": " "}) is None
    assert cluster.of_environment({"TF_CONFIG": "{}"}) is None
    assert of({"worker": ["a:1"]}) is None


def test_the_first_worker_is_the_chief_where_none_is_named():
    found = of({"worker": ["a:1", "b:1", "c:1"]}, index=2)
    assert (found.addresses, found.number, found.is_chief) == (("a:1", "b:1", "c:1"), 2, False)
    assert of({"worker": ["a:1", "b:1"]}).is_chief


def test_a_named_chief_comes_first():
    jobs = {"worker": ["b:1", "c:1"], "chief": ["a:1"]}
    assert of(jobs, "chief").is_chief
    assert of(jobs, "worker", 0).number == 1
    assert of(jobs, "worker", "1").number == 2


@pytest.mark.parametrize(
    ("text", "message", "code"),
    [
        ("{", "TF_CONFIG cannot be read", "unreadable"),
        ("[" * 100_000, "TF_CONFIG cannot be read", "unreadable"),
        ("[1]", "TF_CONFIG cannot be read", "unreadable"),
        ('{"cluster": {"worker": "a:1"}}', "the addresses of 'worker' are no list", "unreadable"),
        (
            '{"cluster": {"worker": {"0": "a:1", "1": "b:1"}}}',
            "the addresses of 'worker' are no list",
            "unreadable",
        ),
        ('{"cluster": {"worker": ["a:1", "b"]}}', "'b' is no address", "unreadable"),
        ('{"cluster": {"worker": ["a:1", "b:x"]}}', "'b:x' is no address", "unreadable"),
        ('{"cluster": {"worker": ["a:1", "b:65536"]}}', "'b:65536' is no address", "unreadable"),
        ('{"cluster": {"worker": ["a:1", null]}}', "None is no address", "unreadable"),
        (
            '{"cluster": {"worker": ["a:1", "b:1"]}, "task": [1]}',
            "TF_CONFIG cannot be read",
            "unreadable",
        ),
        ('{"cluster": {"worker": ["a:1", "b:1", "a:1"]}}', "names a:1 more than once", "invalid"),
        ('{"cluster": {"worker": ["a:1"], "chief": ["b:1", "c:1"]}}', "names 2 chiefs", "invalid"),
        ('{"cluster": {"worker": ["a:1", "b:1"]}}', "says this is None None", "mismatch"),
        (
            '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}',
            "says this is worker 2",
            "mismatch",
        ),
        ('{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}}', "names the job 'ps'", "unknown"),
    ],
)
def test_a_mistake_is_one_sentence(text, message, code):
    with refused(
        ["invalid", "mismatch", "unknown", "unreadable"], "TF_CONFIG", match="TF_CONFIG"
    ) as caught:
        cluster.of_environment({"TF_CONFIG": text})
    assert (caught.value.code, caught.value.field) == (code, "TF_CONFIG")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
