"""History of generated images, so that a discriminator keeps meeting earlier fakes."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from cyclegan_tf.devices import replicas
from cyclegan_tf.devices.tf_internals import variables_of_no_function


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class ImagePool(keras.layers.Layer):
    """Replaces half of the fakes for the discriminator by earlier ones.

    Shrivastava et al. 2017, sec. 2.3; Zhu et al. 2017, sec. 4. Image by image: while the pool is
    not full, keep a copy and return the new one; then, with probability 1/2, return the new one and
    leave the pool as it is, else return a random old one and put the new one in its place. No
    gradient passes.

    Works eagerly, in graphs, under XLA and in a `train_step`. Its state is in non-trainable
    variables, made from the first batch's shape: `images` float32 (P, H, W, C), `count` int64 (how
    many are filled) and `draws` int64 (how many images came by, the counter of the random numbers).
    Restored, they continue the very same sequence. Under `tf.distribute` every replica keeps the
    same history of the global batch: the fakes of all replicas go through it in the order of the
    batch, and each returns its own slice, so that the discriminators' input does not depend on the
    number of replicas.

    Input: float (N, H, W, C), N may be unknown. Output: the same shape and dtype.

    Args:
      size_images: P, how many images to keep; 0 returns every image as it comes, without variables.
      seed: decides the draws.
      **kwargs: `keras.layers.Layer`'s name.

    Raises:
      ValueError: `size_images` below 0; on build, H, W or C unknown; on call, other sizes than were
        built for.

    Example:
      >>> pool = ImagePool(50, seed=0)
      >>> logits = discriminator(pool(fakes))
    """

    def __init__(self, size_images: int = 50, seed: int = 0, **kwargs: Any) -> None:
        # the history stays float32 under mixed precision, and images keep the dtype they came in
        super().__init__(**{"dtype": "float32", **kwargs}, autocast=False)
        if size_images < 0:
            raise ValueError(f"ImagePool needs size_images of at least 0, got {size_images}.")
        self.size_images = size_images
        self.seed = seed

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the empty history for images of this size."""
        image = tuple(input_shape)[1:]
        if self.size_images == 0:
            return
        if len(image) != 3 or None in image:
            raise ValueError(
                f"ImagePool keeps images of one known size, got shape {tuple(input_shape)}; give "
                "batches a fixed height, width and channels, or use size_images=0."
            )
        with variables_of_no_function():
            self.images = self.add_weight(
                shape=(self.size_images, *image), dtype="float32", initializer="zeros",
                trainable=False, autocast=False, name="images",
            )  # fmt: skip
            self.count = self.add_weight(
                shape=(), dtype="int64", initializer="zeros", trainable=False, name="count"
            )
            self.draws = self.add_weight(
                shape=(), dtype="int64", initializer="zeros", trainable=False, name="draws"
            )

    def call(self, fakes: tf.Tensor) -> tf.Tensor:
        """Takes the newest fakes, float (N, H, W, C); returns as many new or earlier ones."""
        fakes = tf.stop_gradient(tf.convert_to_tensor(fakes))
        if self.size_images == 0:
            return fakes
        fakes = self._of_built_size(fakes)
        new = replicas.all_gather(tf.cast(fakes, tf.float32))
        if new.shape[0]:
            pooled = tf.stack([self._exchange(image) for image in tf.unstack(new)])
        else:
            # in turn: an image may meet one that came earlier in the same batch
            pooled = tf.map_fn(self._exchange, new, parallel_iterations=1)
        return tf.stop_gradient(tf.cast(replicas.local_slice(pooled), fakes.dtype))

    def _of_built_size(self, fakes: tf.Tensor) -> tf.Tensor:
        """Refuses other sizes, where they are unknown to the graph when it runs."""
        built, given = tuple(self.images.shape[1:]), fakes.shape[1:]
        sentence = f"ImagePool was built for images {built}"
        if not given.is_compatible_with(built):
            raise ValueError(f"{sentence}, got {tuple(given)}.")
        if given.is_fully_defined():
            return fakes
        equal = tf.debugging.assert_equal(
            tf.shape(fakes)[1:],
            built,
            f"{sentence}, got another size: give batches of one size, or pool_size_images=0.",
        )
        with tf.control_dependencies([equal] if equal is not None else []):
            fakes = tf.identity(fakes)
        # Not tf.ensure_shape: from it TensorFlow concludes that the sizes are equal, drops the
        # assertion, and fails with a sentence of its own.
        fakes.set_shape((fakes.shape[0], *built))
        return fakes

    def load_own_variables(self, store: Any) -> None:
        """Reads a saved history: into a pool without images, too, and none empties the pool."""
        if not store.keys():
            for variable in self.variables:
                variable.assign(tf.zeros(variable.shape, variable.dtype))
            return
        if self.size_images and not self.built:
            self.build((None, *store["0"].shape[1:]))
        super().load_own_variables(store)

    def _exchange(self, new: tf.Tensor) -> tf.Tensor:
        """Takes one image (H, W, C), returns the one in its place.

        The slot is written in any case, with its own content where nothing changes: no branches,
        which XLA and `train_step` want, and no copy of the whole pool, which an assignment would
        be.
        """
        count, size = tf.convert_to_tensor(self.count), self.size_images
        full = count >= size
        pair = self._random_pair()
        coin, place = pair[0], pair[1]  # not unstacked, for which a GPU would be waited for
        take_old = full & (coin < 0)
        slot = tf.where(full, tf.math.floormod(place, size), count)
        handle = self.images.value.handle
        old = tf.raw_ops.ResourceGather(resource=handle, indices=slot, dtype=tf.float32)
        kept = tf.where(take_old | ~full, new, old)
        tf.raw_ops.ResourceScatterUpdate(resource=handle, indices=slot[None], updates=kept[None])
        self.count.assign_add(tf.cast(~full, tf.int64))
        self.draws.assign_add(1)
        return tf.where(take_old, old, new)

    def _random_pair(self) -> tf.Tensor:
        """int64 (2,), uniform: whether to exchange, and with which; by seed and draws alone."""
        seed = tf.stack([tf.constant(self.seed, tf.int64), tf.convert_to_tensor(self.draws)])
        # whole numbers, because XLA makes other fractions from the same bits, and a run may switch
        # XLA on
        bits = tf.random.stateless_uniform(
            (2,), seed, minval=None, maxval=None, dtype=tf.int32, alg="philox"
        )
        return tf.cast(bits, tf.int64)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Same as the input's."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """All constructor arguments."""
        return {**super().get_config(), "size_images": self.size_images, "seed": self.seed}
