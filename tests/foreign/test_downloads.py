"""Servers that do not answer."""

import socket

import pytest

from cyclegan_tf.foreign.downloads import short_timeout


def fail_within():
    with short_timeout():
        assert socket.getdefaulttimeout() == 20
        raise OSError("no answer")


def test_the_timeout_is_that_of_before_afterwards():
    with pytest.raises(OSError, match="no answer"):
        fail_within()
    assert socket.getdefaulttimeout() is None
