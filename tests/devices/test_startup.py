"""What TensorFlow prints while it starts."""

import os
from pathlib import Path

import pytest

from cyclegan_tf.devices.startup import suppress_startup_logs


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
