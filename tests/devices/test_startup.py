"""What TensorFlow prints while it starts, and what Python does meanwhile."""

import gc
import os
from pathlib import Path

import pytest

from cyclegan_tf.devices.startup import suppress_startup_logs, without_garbage_collection


def test_start_up_lines_are_held_back_and_shown_when_starting_fails(capfd):
    with suppress_startup_logs():
        os.write(2, b"chatter")
    assert capfd.readouterr().err == ("chatter" if Path("/dev/nvidiactl").exists() else "")

    def fail():
        os.write(2, b"libcudart is missing")
        raise ImportError

    with pytest.raises(ImportError), suppress_startup_logs():
        fail()
    assert capfd.readouterr().err == "libcudart is missing"


def test_no_garbage_is_looked_for_and_then_it_is_again():
    with without_garbage_collection():
        assert not gc.isenabled()
        with without_garbage_collection():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), without_garbage_collection():
        raise ImportError
    assert gc.isenabled()
