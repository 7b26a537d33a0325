"""What replicas do together, on two logical CPUs of a process of its own where that needs
devices."""

import json

import numpy as np
import tensorflow as tf

from cyclegan_tf.devices import replicas
from tests.helpers.preloaded import run_code

_ON_TWO = """
import json, os, sys
os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from cyclegan_tf.devices import replicas, tf_internals
from cyclegan_tf.model.image_pool import ImagePool
from cyclegan_tf.model.optimizers import FusedAdam

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with tf_internals.per_replica_variables(strategy):
    pool = ImagePool(3, seed=5)
    pool.build((None, 1, 1, 1))
    weight, adam = keras.Variable([1.0]), FusedAdam(0.1, epsilon=1e-3)
    adam.build([weight])
    mean = keras.metrics.Mean()
alone = ImagePool(3, seed=5)
alone.build((None, 1, 1, 1))

def of_replica(batch):
    own = replicas.local_slice(batch)
    pooled = pool(own)
    numbers = replicas.all_reduce_mean_scalars(
        {"a": tf.cast(replicas.replica_id(), tf.float32), "b": tf.reduce_sum(own)})
    (gradient,) = replicas.all_reduce_mean([tf.reduce_mean(own, axis=(0, 1, 2))])
    adam.apply_means([(gradient, weight)])
    mean.update_state(gradient)
    return {"shown": pooled, "everyone": replicas.all_gather(own), "running": mean.result(),
            **numbers}

@tf.function(autograph=False)
def step(batch):
    return strategy.run(of_replica, args=(batch,))

steps, expected = [], []
for number in range(6):
    batch = tf.reshape(tf.range(4, dtype=tf.float32) + 10 * number, (4, 1, 1, 1))
    found = step(batch)
    steps.append({k: [v.numpy().ravel().tolist() for v in strategy.experimental_local_results(x)]
                  for k, x in found.items()})
    expected.append(alone(batch).numpy().ravel().tolist())
single, plain = keras.Variable([1.0]), keras.optimizers.Adam(0.1, epsilon=1e-3)
for number in range(6):
    plain.apply([tf.constant([10.0 * number + 1.5])], [single])
print(json.dumps({"steps": steps, "expected": expected, "single": single.numpy().tolist(),
    "weights": [c.numpy().tolist() for c in tf_internals.local_copies(weight)],
    "pools": [c.numpy().ravel().tolist() for c in tf_internals.local_copies(pool.images)],
    "pool": alone.images.numpy().ravel().tolist()}))
"""


def test_one_replica_gets_back_what_it_gave():
    batch = tf.ones((4, 2, 2, 1))
    assert replicas.num_replicas() == 1
    assert int(replicas.replica_id()) == 0
    assert replicas.all_gather(batch) is batch
    assert replicas.local_slice(batch) is batch
    assert replicas.all_reduce_mean([batch])[0] is batch
    assert replicas.all_reduce_mean_scalars({"a": batch})["a"] is batch


def test_parts_of_a_batch_are_its_rows_in_turn():
    batch = tf.reshape(tf.range(12), (6, 2))
    parts = [replicas.local_slice(batch, 3, tf.constant(part)) for part in range(3)]
    assert [part.shape.as_list() for part in parts] == [[2, 2]] * 3
    np.testing.assert_array_equal(tf.concat(parts, 0), batch)


def test_two_replicas_do_what_one_does_with_the_whole_batch(tmp_path):
    status, output = run_code(_ON_TWO, tmp_path)
    assert status == 0, output
    found = json.loads(output.splitlines()[-1])
    running = []
    for number, (step, shown) in enumerate(zip(found["steps"], found["expected"], strict=True)):
        batch = [10.0 * number + i for i in range(4)]
        assert step["everyone"] == [batch, batch]
        assert step["a"] == [[0.5], [0.5]]
        assert step["b"] == [[sum(batch) / 2]] * 2
        assert step["shown"] == [shown[:2], shown[2:]]
        running.append(np.mean(batch))
        np.testing.assert_allclose(step["running"], [[np.mean(running)]] * 2)
    assert found["expected"] != [
        [10.0 * n + i for i in range(4)] for n in range(6)
    ]  # the pool did exchange
    assert found["pools"] == [found["pool"]] * 2
    assert found["weights"][0] == found["weights"][1]
    np.testing.assert_allclose(found["weights"][0], found["single"], atol=1e-5)
