"""Descriptors: the limit is raised, and connections stay below it."""

import pytest

from cyclegan_tf.serve import descriptors

resource = pytest.importorskip("resource")


@pytest.mark.parametrize(
    ("soft", "hard", "wanted"),
    [(256, 4096, 4096), (1024, 2**20, 2**16), (1024, resource.RLIM_INFINITY, 2**16),
     (2**17, 2**20, None), (1024, 1024, None)],
)  # fmt: skip
def test_the_soft_limit_is_raised_to_the_hard_one(soft, hard, wanted, monkeypatch):
    asked = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: asked.append(limits))
    assert descriptors.raise_limit() == (wanted or soft)
    assert asked == ([(wanted, hard)] if wanted else [])


def test_a_system_that_forbids_what_it_announces(monkeypatch):
    def refuse(kind, limits):
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda kind: (256, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert descriptors.raise_limit() == 256


@pytest.mark.parametrize("limit", [256, 1024, 4096, 2**16])
def test_connections_stay_below_the_limit(limit):
    connections, at_once = descriptors.shares(limit)
    assert 8 <= connections <= 4096
    assert at_once >= 8
    assert limit < 512 or connections + 2 * at_once < limit
