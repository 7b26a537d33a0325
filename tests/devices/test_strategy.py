"""Which strategy is taken, and what several devices refuse."""

import threading

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.devices import strategy as distribution
from cyclegan_tf.devices.strategy import DistributionContext
from cyclegan_tf.devices.tf_config import Cluster
from cyclegan_tf.errors import TrainingStoppedError
from tests.helpers.errors import refused

TWO = Cluster(("a:1", "b:1"), 0)


@pytest.mark.parametrize(
    ("wanted", "cluster", "devices", "kind"),
    [
        ("auto", None, {"GPU": 0, "TPU": 0}, "none"),
        ("auto", None, {"GPU": 1, "TPU": 0}, "none"),
        ("auto", None, {"GPU": 8, "TPU": 0}, "mirrored"),
        ("auto", TWO, {"GPU": 8, "TPU": 0}, "multi_worker"),
        ("auto", None, {"GPU": 0, "TPU": 8}, "tpu"),
        ("none", None, {"GPU": 8, "TPU": 0}, "none"),
        ("mirrored", None, {"GPU": 0, "TPU": 0}, "mirrored"),
        ("multi_worker", TWO, {"GPU": 0, "TPU": 0}, "multi_worker"),
    ],
)
def test_what_is_seen_decides(wanted, cluster, devices, kind):
    assert distribution.choose_strategy(wanted, cluster, devices)[0] == kind


@pytest.mark.parametrize(
    ("wanted", "cluster", "code", "message"),
    [
        ("multi_worker", None, "missing", "TF_CONFIG names no other machine"),
        ("none", TWO, "mismatch", "TF_CONFIG names 2 machines"),
        ("mirrored", TWO, "mismatch", "TF_CONFIG names 2 machines"),
        ("tpu", None, "missing", "there is no TPU"),
    ],
)
def test_what_is_not_there_is_refused(wanted, cluster, code, message):
    with refused(["mismatch", "missing"], "training.strategy", match=message) as caught:
        distribution.choose_strategy(wanted, cluster, {"GPU": 0, "TPU": 0})
    assert (caught.value.code, caught.value.field) == (code, "training.strategy")


def test_one_device_uses_nothing_of_tf_distribute():
    devices = DistributionContext("auto", {})
    assert (devices.kind, devices.strategy, devices.replicas, devices.is_chief) == (
        "none",
        None,
        1,
        True,
    )
    step = object()
    assert devices.step(step) is step
    with devices.scope():
        assert not tf.distribute.has_strategy()
    arrays = {"a": np.arange(3)}
    assert devices.broadcast(arrays) == arrays


def test_several_replicas_refuse_what_would_change_the_result():
    devices = DistributionContext("mirrored", {})
    devices.replicas = 3
    devices.check(6, "float32", ["instance"])
    with refused(
        "invalid", "data.batch_size", match=r"which 3 replicas cannot share evenly.*: take 6\."
    ) as size:
        devices.check(4, "float32", ["instance"])
    with refused(
        "unsupported", "generator.norm", match="Batch normalization on 3 replicas"
    ) as norm:
        devices.check(6, "float32", ["instance", "batch"])
    with refused(
        "unsupported", "training.precision", match="whose loss scale 3 replicas cannot share"
    ) as precision:
        devices.check(6, "mixed_float16", ["instance"])
    assert [(e.value.code, e.value.field) for e in (size, norm, precision)] == [
        ("invalid", "data.batch_size"),
        ("unsupported", "generator.norm"),
        ("unsupported", "training.precision"),
    ]


def test_a_lost_machine_is_one_sentence_and_other_errors_stay_as_they_are():
    devices = DistributionContext("none", {})
    with (
        pytest.raises(tf.errors.UnavailableError),
        devices.reporting_lost_workers(lambda: "after step 3"),
    ):
        raise tf.errors.UnavailableError(None, None, "gone")
    devices.workers = 2
    lost = refused(
        "stopped", match=r"2 machines has ended .* after step 3", kind=TrainingStoppedError
    )
    with lost as caught, devices.reporting_lost_workers(lambda: "after step 3"):
        raise tf.errors.UnavailableError(None, None, "socket\nclosed")
    assert "\n" not in str(caught.value)
    with pytest.raises(tf.errors.InvalidArgumentError), devices.reporting_lost_workers(lambda: ""):
        raise tf.errors.InvalidArgumentError(None, None, "a bug")


CARRIERS = {
    "float16": "float32",
    "float32": "float32",
    "float64": "float64",
    "uint32": "int64",
    "bool": "int64",
}


@pytest.mark.parametrize("dtype", CARRIERS)
def test_every_dtype_travels_in_one_that_holds_it(dtype):
    assert np.dtype(distribution._carrier(np.dtype(dtype))) == CARRIERS[dtype]


def test_a_machine_that_never_comes_ends_the_wait(monkeypatch, capsys):
    statuses, ended = [], threading.Event()
    monkeypatch.setattr(
        distribution.os, "_exit", lambda status: (statuses.append(status), ended.set())
    )
    with distribution._ending_after(0.01, "error: not all came."):
        assert ended.wait(10)
    assert statuses == [1]
    assert capsys.readouterr().err == "error: not all came.\n"
    with distribution._ending_after(0.2, ""):
        pass
    ended.clear()
    assert not ended.wait(0.5)
