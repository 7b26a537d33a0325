"""What rests on TensorFlow's inner workings; Keras's are in `networks/keras_internals.py`.

`tests/devices/test_tf_internals.py` holds each of these against the installed versions
and fails loudly when one moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework import op_def_registry
from tensorflow.python.ops import control_flow_util, resource_variable_ops

HEARTBEAT_SECONDS = 15
"""Seconds of silence after which a worker is given up."""

START_SECONDS = 600
"""Seconds to wait for a worker to join."""


@contextmanager
def per_replica_variables(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Make variables with a copy on each replica, which that replica alone assigns to.

    Keras asks for other rules variable by variable (sums for metrics, merged updates for
    optimizers), each of which would add a message between replicas or reduce once more what is the
    same everywhere already.
    """

    def own_copies(make: Any, **kwargs: Any) -> Any:
        kwargs["aggregation"] = tf.VariableAggregation.NONE
        kwargs["synchronization"] = tf.VariableSynchronization.ON_WRITE
        return make(**kwargs)

    with strategy.scope(), tf.variable_creator_scope(own_copies):
        yield


@contextmanager
def variables_of_no_function() -> Iterator[None]:
    """Make variables as outside of every `tf.function`, which would be traced twice with them.

    A strategy makes its variables as it does without this.
    """
    if tf.distribute.has_strategy():
        yield
        return

    def at_once(_: Any, **kwargs: Any) -> Any:
        return resource_variable_ops.default_variable_creator_v2(**kwargs)

    with tf.init_scope(), tf.variable_creator_scope(at_once):
        yield


def local_copies(variable: Any) -> list[tf.Variable]:
    """This process's copies of a Keras variable, one for each local replica."""
    return list(getattr(variable.value, "values", [variable.value]))


def configure_heartbeats(jobs: dict[str, int]) -> None:
    """Set how soon a silent worker is given up; before TensorFlow has touched a device.

    Args:
      jobs: how many machines there are of each job, "chief" and "worker".
    """
    from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2

    listed = [
        coordination_config_pb2.CoordinatedJob(name=name, num_tasks=n)
        for name, n in jobs.items()
        if n
    ]
    leader = "chief" if jobs.get("chief") else "worker"
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader=f"/job:{leader}/replica:0/task:0",
        coordinated_jobs=listed,
        cluster_register_timeout_in_ms=START_SECONDS * 1000,
        heartbeat_timeout_in_ms=HEARTBEAT_SECONDS * 1000,
    )


def compiled_by_xla() -> bool:
    """Whether the function being traced is, or lies within, one with `jit_compile=True`."""
    return not tf.executing_eagerly() and control_flow_util.GraphOrParentsInXlaContext(
        tf.compat.v1.get_default_graph()
    )


def is_stateful_operation(name: str) -> bool | None:
    """Whether an operation does more than compute its outputs; None where it is not known here."""
    definition = op_def_registry.get(name)
    return None if definition is None else bool(definition.is_stateful)
