"""Signals to this process, noted and given back."""

import os
import signal

import pytest

from cyclegan_tf.train.signals import StopSignals


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_is_noted_and_the_second_ends_at_once(number, status, capfd):
    before = signal.getsignal(number)
    with StopSignals() as stop:
        assert (stop.number, stop.exit_status) == (None, 0)
        os.kill(os.getpid(), number)
        assert (stop.number, stop.exit_status) == (number, status)
        assert "finishing this step, then saving" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_handlers_are_given_back_after_an_error():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(ValueError, match="in the loop"), StopSignals():
        raise ValueError("in the loop")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
