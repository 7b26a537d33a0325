"""What is asked of trackers and clients."""

import inspect

import pytest

from cyclegan_tf.train.monitoring.trackers import (
    delivery,
    mlflow_client,
    tensorboard,
    tracker,
    trackio_client,
    wandb_client,
)


@pytest.mark.parametrize("kind", [delivery.Delivery, tensorboard.TensorBoard])
def test_trackers_take_what_a_training_gives(kind):
    assert_same_methods(tracker.Tracker, kind)


@pytest.mark.parametrize(
    "kind", [wandb_client.WandbClient, mlflow_client.MlflowClient, trackio_client.TrackioClient]
)
def test_clients_take_what_a_delivery_gives(kind):
    assert_same_methods(tracker.Client, kind)


def assert_same_methods(protocol, kind):
    asked = {n: f for n, f in vars(protocol).items() if inspect.isfunction(f) and n[0] != "_"}
    assert asked
    for name, method in asked.items():
        assert inspect.signature(getattr(kind, name)) == inspect.signature(method), name
