"""A tracker that is slow, silent or broken, and the training beside it."""

import threading

import numpy as np
import pytest

from cyclegan_tf.train.monitoring.trackers import delivery
from cyclegan_tf.train.monitoring.trackers.delivery import Delivery
from cyclegan_tf.train.monitoring.trackers.record import TrackerRecord

IMAGE = np.zeros((2, 2, 3), np.uint8)


class Client:
    id, address, may_lose = "one", "here", False

    def __init__(self, error=None, wait=None):
        self.got, self.error, self.wait = [], error, wait

    def _take(self, *entry):
        if self.wait:
            self.wait.wait()
        if self.error:
            raise self.error
        self.got.append(entry)

    def scalars(self, step, values):
        self._take(step, values)

    def image(self, step, name, image):
        self._take(step, name, image.shape)

    def text(self, step, name, text):
        self._take(step, name, text)

    def close(self, finished):
        self._take("closed", finished)


def opened(tmp_path, client, **options):
    return Delivery("wandb", client, TrackerRecord(tmp_path / "wandb.json"), **options)


def test_everything_arrives_in_order_and_what_is_not_finite_does_not(tmp_path):
    client = Client()
    sent = opened(tmp_path, client)
    sent.scalars("train", 2, {"loss/cycle_x": 0.5, "gradients/norm": float("inf")})
    sent.image(2, "samples_xy", IMAGE)
    sent.text(2, "warning/collapse_xy", "G has collapsed.")
    sent.close(finished=True)
    assert client.got == [
        (2, {"train/loss/cycle_x": 0.5}),
        (2, "samples_xy", (2, 2, 3)),
        (2, "warning/collapse_xy", "G has collapsed."),
        ("closed", True),
    ]


def test_a_resumed_training_sends_nothing_twice(tmp_path):
    first = opened(tmp_path, Client())
    first.scalars("train", 4, {"loss/cycle_x": 0.5})
    first.text(0, "warning/flat_images", "One is flat.")
    first.image(4, "samples_xy", IMAGE)
    first.close(finished=False)
    client = Client()
    second = opened(tmp_path, client)
    for step in (2, 4, 6):
        second.scalars("train", step, {"loss/cycle_x": 0.25})
        second.scalars("test", step, {"loss/cycle_x": 0.125} if step == 6 else {})
        second.image(step, "samples_xy", IMAGE)
    second.text(4, "warning/flat_images", "One is flat.")
    second.text(6, "warning/flat_images", "Two are flat.")
    second.close(finished=True)
    assert client.got == [
        (6, {"train/loss/cycle_x": 0.25}),
        (6, {"test/loss/cycle_x": 0.125}),
        (6, "samples_xy", (2, 2, 3)),
        (6, "warning/flat_images", "Two are flat."),
        ("closed", True),
    ]


@pytest.mark.parametrize("may_lose", [False, True])
def test_after_a_kill_what_may_be_lost_is_sent_again(tmp_path, may_lose):
    killed = opened(tmp_path, Client())
    for step in (2, 4):
        killed.scalars("train", step, {"loss/cycle_x": 0.5})
    while TrackerRecord(tmp_path / "wandb.json").sent.get("train/loss/cycle_x") != 4:
        pass
    client = Client()
    client.may_lose = may_lose
    second = opened(tmp_path, client)
    second.begin(3, {})  # of the checkpoint
    second.scalars("train", 4, {"loss/cycle_x": 0.5})
    second.close(finished=True)
    again = [(4, {"train/loss/cycle_x": 0.5})] if may_lose else []
    assert client.got == [*again, ("closed", True)]
    assert TrackerRecord(tmp_path / "wandb.json").was_closed


def test_what_fails_is_one_warning_and_what_follows_is_still_tried(tmp_path, caplog):
    client = Client(error=ConnectionError("no route to host"))
    sent = opened(tmp_path, client)
    for step in (2, 4, 6):
        sent.scalars("train", step, {"loss/cycle_x": 0.5})
    while not caplog.records:
        pass
    client.error = None
    sent.scalars("train", 8, {"loss/cycle_x": 0.5})
    sent.close(finished=True)
    assert client.got[-2:] == [(8, {"train/loss/cycle_x": 0.5}), ("closed", True)]
    (warning,) = caplog.messages
    assert "wandb has not taken all that was sent to it (ConnectionError: no route" in warning
    assert TrackerRecord(tmp_path / "wandb.json").sent["train/loss/cycle_x"] == 8


def test_a_silent_server_is_not_waited_for(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(delivery, "_MAX_WAITING", 2)
    never = threading.Event()
    client = Client(wait=never)
    sent = opened(tmp_path, client, closing_seconds=0.05)
    for step in range(1, 9):
        sent.scalars("train", step, {"loss/cycle_x": 0.5})  # which would hang, if it waited
    sent.close(finished=True)
    assert len(caplog.messages) == 1
    never.set()
    sent._thread.join()
    assert len(client.got) <= 4  # one was under way, two waited, and the end
    assert not (tmp_path / "wandb.json").exists()  # the run is no longer this process's
