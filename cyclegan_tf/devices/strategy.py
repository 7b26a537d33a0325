"""Devices and machines that train together: a strategy of `tf.distribute` and its collectives."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from cyclegan_tf.devices import replicas, tf_internals
from cyclegan_tf.devices.tf_config import VARIABLE, Cluster, of_environment
from cyclegan_tf.errors import TrainingStoppedError, UserError

# What TensorFlow raises in a collective operation when another machine ends, restarts or cannot be
# reached.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
)

Batch = tuple[tf.Tensor, ...]


def choose_strategy(
    wanted: str, cluster: Cluster | None, devices: Mapping[str, int]
) -> tuple[str, str]:
    """Choose the strategy for a `training.strategy`; return it with the reason.

    Args:
      wanted: "auto", "none", "mirrored", "multi_worker" or "tpu".
      cluster: of `TF_CONFIG`; None where it names no other machine.
      devices: visible ones by kind, "GPU", "TPU" and logical "CPU".

    Raises:
      UserError: what is wanted is not there.
    """
    if wanted == "multi_worker" and cluster is None:
        raise UserError(
            f"training.strategy is 'multi_worker', but {VARIABLE} names no other machine; set it "
            "on each.",
            code="missing",
            field="training.strategy",
        )
    if wanted in ("none", "mirrored", "tpu") and cluster is not None:
        raise UserError(
            f"training.strategy is {wanted!r}, but {VARIABLE} names {len(cluster.addresses)} "
            f"machines; unset {VARIABLE}, or leave training.strategy out.",
            code="mismatch",
            field="training.strategy",
        )
    if wanted == "tpu" and not devices["TPU"]:
        raise UserError(
            "training.strategy is 'tpu', but there is no TPU to be seen; leave it out.",
            code="missing",
            field="training.strategy",
        )
    if wanted != "auto":
        return wanted, "asked for"
    if cluster is not None:
        return "multi_worker", f"{VARIABLE} names {len(cluster.addresses)} machines"
    if devices["TPU"]:
        return "tpu", "there is a TPU"
    if devices["GPU"] > 1:
        return "mirrored", f"there are {devices['GPU']} GPUs"
    return "none", "one device"


class DistributionContext:
    """The devices that train together; with one alone, nothing of `tf.distribute` is used.

    Example:
      >>> devices = DistributionContext("mirrored")
      >>> with devices.scope():
      ...     model = build_model(experiment)

    Args:
      wanted: a `training.strategy`.
      environment: may hold `TF_CONFIG`; no other machine without it.

    Attributes:
      kind: the strategy that was taken, in one word.
      description: which strategy was chosen, and why.
      strategy: None for one device alone.
      workers: machines.
      worker: number of this one; 0 is the chief, which alone writes.
      replicas: devices on all machines.
      in_use: whether this process has made any strategy.

    Raises:
      UserError: what is wanted is not there, or `TF_CONFIG` cannot be read.
    """

    in_use = False

    def __init__(self, wanted: str = "none", environment: Mapping[str, str] | None = None) -> None:
        cluster = of_environment(environment or {})
        visible = {kind: len(tf.config.list_physical_devices(kind)) for kind in ("GPU", "TPU")}
        self.kind, why = choose_strategy(wanted, cluster, visible)
        self.workers, self.worker = (len(cluster.addresses), cluster.number) if cluster else (1, 0)
        self.strategy = self._make(cluster)
        self.replicas = self.strategy.num_replicas_in_sync if self.strategy else 1
        self.description = f"{self.kind} ({why})"
        if self.strategy:
            here = f", machine {self.worker} of {self.workers}" if self.workers > 1 else ""
            self.description = f"{self.kind}, {self.replicas} replicas{here} ({why})"
        self._add = {
            dtype: tf.function(self._sum_of_all, [tf.TensorSpec([None], dtype)], autograph=False)
            for dtype in (tf.float32, tf.float64, tf.int64)
        }

    def _make(self, cluster: Cluster | None) -> tf.distribute.Strategy | None:
        if self.kind == "none":
            return None
        DistributionContext.in_use = True
        if self.kind == "tpu":
            # After TensorFlow's guide; nobody has run this here.
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver("local")
            tf.config.experimental_connect_to_cluster(resolver)
            tf.tpu.experimental.initialize_tpu_system(resolver)
            return tf.distribute.TPUStrategy(resolver)
        if self.kind == "mirrored":
            return tf.distribute.MirroredStrategy(_local_devices())
        assert cluster is not None
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        spec = resolver.cluster_spec()
        tf_internals.configure_heartbeats({job: spec.num_tasks(job) for job in spec.jobs})
        kinds = tf.distribute.experimental.CommunicationImplementation
        options = tf.distribute.experimental.CommunicationOptions(
            implementation=kinds.NCCL if tf.config.list_physical_devices("GPU") else kinds.AUTO
        )
        limit = tf_internals.START_SECONDS
        with _ending_after(
            limit, f"error: not all of {', '.join(cluster.addresses)} came within {limit} s."
        ):
            return tf.distribute.MultiWorkerMirroredStrategy(resolver, options)

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the run directory."""
        return self.worker == 0

    @property
    def replicas_here(self) -> int:
        """Devices of this machine."""
        return self.replicas // self.workers

    def check(self, batch_size: int, dtype_policy: str, norms: Sequence[str]) -> None:
        """Refuse what several replicas cannot do with the result of one device.

        Args:
          batch_size: images of each domain per step, on all devices together.
          dtype_policy: arithmetic of the networks.
          norms: kinds of normalization in the networks.

        Raises:
          UserError: the batch cannot be shared evenly, or precision or normalization need another.
        """
        if self.replicas > 1 and "batch" in norms:
            raise UserError(
                f"Batch normalization on {self.replicas} replicas would see a part of each batch "
                "only: take the norm 'instance', or give --training.strategy none.",
                code="unsupported",
                field="generator.norm",
            )
        if dtype_policy == "mixed_float16":
            raise UserError(
                f"training.precision is 'float16', whose loss scale {self.replicas} replicas "
                "cannot share: take bfloat16 or float32, or give --training.strategy none.",
                code="unsupported",
                field="training.precision",
            )
        if batch_size % self.replicas:
            above = -(-batch_size // self.replicas) * self.replicas
            raise UserError(
                f"data.batch_size is {batch_size}, which {self.replicas} replicas cannot share "
                f"evenly (it counts the images of one step on all devices together): take {above}.",
                field="data.batch_size",
            )

    def scope(self) -> contextlib.AbstractContextManager[None]:
        """Where the model's variables must be made."""
        return (
            tf_internals.per_replica_variables(self.strategy)
            if self.strategy
            else contextlib.nullcontext()
        )

    def step(
        self, train: Callable[[Batch], dict[str, tf.Tensor]]
    ) -> Callable[[Batch], dict[str, tf.Tensor]]:
        """Make a step of all replicas, over this machine's part of a batch, from a step of one.

        Args:
          train: takes a replica's slice; must return the same on every replica.
        """
        strategy = self.strategy
        if strategy is None:
            return train

        def of_replica(batch: Batch) -> dict[str, tf.Tensor]:
            with tf.device("CPU:0"):  # so that a device is sent its slice only
                here = replicas.replica_id() - self.worker * self.replicas_here
                batch = tuple(
                    replicas.local_slice(part, self.replicas_here, here) for part in batch
                )
            return train(batch)

        def of_all(batch: Batch) -> dict[str, tf.Tensor]:
            return tf.nest.map_structure(
                lambda value: strategy.experimental_local_results(value)[0],
                strategy.run(of_replica, args=(batch,)),
            )

        return of_all

    # Between machines.

    def _sum_of_all(self, value: tf.Tensor) -> tf.Tensor:
        assert self.strategy is not None

        def of_replica(value: tf.Tensor) -> tf.Tensor:
            here = replicas.replica_id() - self.worker * self.replicas_here
            own = tf.where(here == 0, value, tf.zeros_like(value))
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, own)

        return self.strategy.experimental_local_results(
            self.strategy.run(of_replica, args=(value,))
        )[0]

    def all_reduce_sum(self, value: np.ndarray) -> np.ndarray:
        """Sum an array over the machines: float32, float64 or int64, of one shape on all."""
        if self.workers == 1:
            return value
        flat = tf.constant(value.ravel())
        return self._add[flat.dtype](flat).numpy().reshape(value.shape)

    def all_gather_text(self, text: str) -> list[str]:
        """Gather a text of each machine, in their order."""
        data = np.frombuffer(text.encode(), np.uint8).astype(np.int64)
        lengths = np.zeros(self.workers, np.int64)
        lengths[self.worker] = len(data)
        lengths = self.all_reduce_sum(lengths)
        table = np.zeros((self.workers, int(lengths.max())), np.int64)
        table[self.worker, : len(data)] = data
        table = self.all_reduce_sum(table)
        return [
            bytes(row[:n].astype(np.uint8)).decode() for row, n in zip(table, lengths, strict=True)
        ]

    def broadcast(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Send the chief's arrays to all machines.

        Args:
          arrays: by name; of the others, names, shapes and dtypes count.
        """
        if self.workers == 1:
            return dict(arrays)
        found: dict[str, np.ndarray] = {}
        for via in (np.float32, np.float64, np.int64):
            names = [name for name, array in arrays.items() if _carrier(array.dtype) is via]
            if not names:
                continue
            flat = np.concatenate([arrays[name].ravel().astype(via) for name in names])
            flat = self.all_reduce_sum(flat if self.is_chief else np.zeros_like(flat))
            ends = np.cumsum([arrays[name].size for name in names])
            for name, part in zip(names, np.split(flat, ends[:-1]), strict=True):
                found[name] = part.astype(arrays[name].dtype).reshape(arrays[name].shape)
        return {name: found[name] for name in arrays}

    @contextlib.contextmanager
    def reporting_lost_workers(self, when: Callable[[], str]) -> Iterator[None]:
        """Turn the loss of another machine into one sentence.

        Args:
          when: says for the sentence when it was, "after step 3".

        Raises:
          TrainingStoppedError: another machine ended or cannot be reached.
        """
        try:
            yield
        except _LOST as error:
            if self.workers == 1:
                raise
            reason = " ".join(error.message.split())[-300:]
            raise TrainingStoppedError(
                f"Another of the {self.workers} machines has ended or cannot be reached any more, "
                f"{when()}: see its own output, then start the same command on all of them again, "
                f"which goes on from the last checkpoint. TensorFlow says: {reason}"
            ) from error


def _carrier(dtype: np.dtype) -> type[np.generic]:
    """A type that can be summed between machines and holds every value of another."""
    if not np.issubdtype(dtype, np.floating):
        return np.int64
    return np.float64 if dtype.itemsize > 4 else np.float32


def _local_devices() -> list[str] | None:
    """The GPUs, or where there are none all logical CPUs."""
    if tf.config.list_physical_devices("GPU"):
        return None
    return [device.name for device in tf.config.list_logical_devices("CPU")]


@contextlib.contextmanager
def _ending_after(seconds: float, message: str) -> Iterator[None]:
    """End the process if what is done within takes longer.

    TensorFlow waits in C++, where no signal is heard.
    """
    timer = threading.Timer(seconds, _end_now, (message,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _end_now(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
    os._exit(1)
