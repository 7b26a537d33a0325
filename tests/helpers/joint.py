"""Trainings on several devices and in several processes.

`python -m tests.helpers.joint LOGICAL_CPUS TRAIN_OPTION ...` is one process of such a training.
"""

import faulthandler
import os
import socket
import sys
import time
from pathlib import Path

from tests.helpers import tiny
from tests.helpers.preloaded import Process

# Adam divides by a root that epsilon alone keeps from 0: with the paper's 1e-8 one device differs
# from itself by 1e-3 in 20 steps once a weight is moved by 2e-7, since a bias before a
# normalization has no gradient but rounding.
EXACT = (
    "--generator.filters=4 --discriminator.filters=4 --optimizer.learning_rate=2e-5 "
    "--optimizer.epsilon=1e-3 --data.batch_size=4 --training.constant_epochs=5 "
    "--training.decay_epochs=5 --logging.log_every_steps=1 --logging.score_every_epochs=0 "
    "--logging.test_every_epochs=99"
).split()


def start(devices, words, log, cluster=None, number=0, **environment):
    """Starts a training in a process of its own, with its output in the file `log`.

    Args:
      devices: logical CPUs of this process.
      words: options of the training.
      log: file.
      cluster: addresses of all processes; None for a process alone.
      number: of this process in the cluster.
      environment: more variables.
    """
    known = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", **environment}
    # as many processes as replicas share two cores
    known |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
    known.pop("TF_CONFIG", None)
    if cluster:
        quoted = ", ".join(f'"{address}"' for address in cluster)
        known["TF_CONFIG"] = (
            f'{{"cluster": {{"worker": [{quoted}]}}, "task": {{"type": "worker", "index": '
            f"{number}}}}}"
        )
    known["PYTHONPATH"] = str(Path(__file__).parents[2])
    with Path(log).open("w") as file:
        return Process("tests.helpers.joint", [devices, *words], file.fileno(), known)


def addresses(count):
    """Of this machine, with ports that nobody holds now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    found = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return found


def wait(processes, seconds):
    """Their exit statuses; all are killed when the time is over."""
    try:
        return [process.wait(seconds) for process in processes]
    finally:
        for process in processes:
            process.kill()


def words(source, run, *more):
    """A training whose result rounding does not change much."""
    return tiny.words(source, run, *EXACT, *more)


def main():
    import tensorflow as tf

    from cyclegan_tf.devices import tf_internals

    if heartbeat := os.environ.get("JOINT_HEARTBEAT_SECONDS"):
        tf_internals.HEARTBEAT_SECONDS = int(heartbeat)
    faulthandler.dump_traceback_later(150)  # a test that waits in vain shall say where
    devices = int(sys.argv[1])
    # two processes share two cores
    tf.config.threading.set_intra_op_parallelism_threads(1)
    if devices > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * devices
        )
        if os.environ.get("TF_CONFIG"):
            _take_all_logical_cpus(devices)

    from cyclegan_tf.train import command as train
    from cyclegan_tf.train import trainer as training

    if os.environ.get("JOINT_SMOOTH"):
        round_off_kinks(setattr)
    pause = float(os.environ.get("JOINT_PAUSE_SECONDS", "0"))
    if pause:  # so that a test can kill in mid-epoch
        plain = training.Trainer._after_step

        def paused(*given):
            time.sleep(pause)
            return plain(*given)

        training.Trainer._after_step = paused  # type: ignore[method-assign]
    train.run(sys.argv[2:])


def round_off_kinks(patch):
    """Takes SiLU for (leaky) ReLU and sqrt(d^2 + 0.01) for |d|.

    So gradients, too, are continuous in the weights.
    At a kink a gradient jumps: one value that rounding takes across it moves the norm of this small
    network's gradient by up to 0.5 %, on some processors at one step, on others at another. Without
    kinks, kernels disturbed by a factor 1 + 1e-6 N(0, 1) move every number that is compared by 3e-5
    at most, so that rounding's 1e-7 stays below 1e-5.

    Args:
      patch: `setattr`, or that of a `pytest.MonkeyPatch`.
    """
    import keras
    import tensorflow as tf

    from cyclegan_tf.model import losses
    from cyclegan_tf.networks.blocks import LayerFactory

    def smooth(self, x, name):
        return keras.layers.Activation("silu", **self.common(name))(x)

    for name in ("relu", "leaky_relu"):
        patch(LayerFactory, name, smooth)
    patch(
        losses,
        "l1",
        lambda a, b: tf.reduce_mean(tf.sqrt(tf.math.squared_difference(a, b) + 1e-2)),
    )


def _take_all_logical_cpus(devices):
    """Between machines without GPUs TensorFlow takes one CPU of each."""
    from tensorflow.python.distribute.collective_all_reduce_strategy import (
        CollectiveAllReduceExtended,
    )

    def local_devices(self, resolver, worker):
        return tuple(f"{worker}/device:CPU:{number}" for number in range(devices)), "CPU"

    CollectiveAllReduceExtended._initialize_local_devices = local_devices


if __name__ == "__main__":
    main()
