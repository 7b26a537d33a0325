"""Inner workings of TensorFlow and Keras that training on several devices stands on.

A failure here means that a newer version moved one of them: fix `devices/tf_internals.py`
(and `networks/keras_internals.py`) before anything else.
"""

import inspect

import keras
import tensorflow as tf
from tensorflow.python.distribute import collective_all_reduce_strategy, values
from tensorflow.python.eager import context

from cyclegan_tf.devices import tf_internals
from cyclegan_tf.model.optimizers import FusedAdam
from cyclegan_tf.networks.keras_internals import ReplicaAdam
from tests.helpers.preloaded import run_code


def test_keras_variables_made_in_scope_are_mirrored_and_assigned_to_by_each_replica():
    with tf_internals.per_replica_variables(tf.distribute.MirroredStrategy(["CPU:0"])):
        variable = keras.Variable([1.0])
        state = keras.random.SeedGenerator(1).state
        total = keras.metrics.Mean().variables[0]
    for made in (variable, state, total):
        assert isinstance(made.value, values.MirroredVariable)
        assert made.value.aggregation == tf.VariableAggregation.NONE
        assert len(tf_internals.local_copies(made)) == 1
    assert len(tf_internals.local_copies(keras.Variable([1.0]))) == 1


def test_variables_made_within_a_function_may_be_of_none():
    traces, made = [], []

    @tf.function
    def call(x):
        traces.append(x)
        if not made:
            with tf_internals.variables_of_no_function():
                made.append(keras.Variable([2.0]))
        return made[0].value * x

    assert [float(tf.function(lambda x: call(x))(3.0)[0]) for _ in range(2)] == [6.0, 6.0]
    assert len(traces) == 1
    assert type(made[0].value) is type(tf.Variable(1.0))


def test_keras_still_updates_by_the_method_that_is_overridden():
    method = keras.optimizers.Adam._backend_update_step
    assert list(inspect.signature(method).parameters) == [
        "self",
        "grads",
        "trainable_variables",
        "learning_rate",
    ]
    assert "_all_reduce_sum_gradients" in inspect.getsource(method)  # why it is overridden at all
    assert "_backend_update_step" in vars(ReplicaAdam)
    assert issubclass(FusedAdam, ReplicaAdam)


def test_tensorflow_still_takes_the_heartbeat_that_was_set_before(tmp_path):
    source = inspect.getsource(
        collective_all_reduce_strategy.CollectiveAllReduceExtended._initialize_multi_worker
    )
    assert "if context.context().coordination_service is None:" in source
    assert hasattr(context.context(), "configure_coordination_service")
    code = (
        "from cyclegan_tf.devices import tf_internals\n"
        "from tensorflow.python.eager import context\n"
        "tf_internals.configure_heartbeats({'worker': 3})\nfound = "
        "context.context().coordination_service\n"
        "print(found.heartbeat_timeout_in_ms, found.service_leader, "
        "found.coordinated_job_list[0].num_tasks)"
    )
    _, output = run_code(code, tmp_path)
    assert output.split() == ["15000", "/job:worker/replica:0/task:0", "3"]


def test_operations_that_do_more_than_compute_are_known():
    assert tf_internals.is_stateful_operation("WriteFile") is True
    assert tf_internals.is_stateful_operation("Conv2D") is False
    assert tf_internals.is_stateful_operation("NoSuchOperation") is None
