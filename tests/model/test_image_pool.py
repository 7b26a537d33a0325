"""The image pool against a plain simulation with the same random numbers."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.model.image_pool import ImagePool

SHAPE = (2, 3, 1)


def numbered(start, images, shape=SHAPE):
    """Images filled with their own number, from 1."""
    numbers = np.arange(start, start + images, dtype=np.float32) + 1
    return np.broadcast_to(numbers[:, None, None, None], (images, *shape)).copy()


def simulate(size, seed, images, draws=0, kept=()):
    """Numbers shown for images 1, 2, ..., and the history after them, in plain Python."""
    kept, shown = list(kept), []
    for number in range(draws + 1, draws + images + 1):
        bits = {"minval": None, "maxval": None, "dtype": tf.int32, "alg": "philox"}
        coin, place = tf.random.stateless_uniform((2,), [seed, number - 1], **bits).numpy()
        if len(kept) < size:
            kept.append(number)
            shown.append(number)
        elif coin >= 0:
            shown.append(number)
        else:
            slot = int(place) % size
            shown.append(kept[slot])
            kept[slot] = number
    return shown, kept


def fed(pool, batches, start=0):
    """Numbers that the pool shows for consecutive batches of these sizes."""
    shown = []
    for images in batches:
        y = pool(tf.constant(numbered(start, images)))
        assert y.dtype == tf.float32
        assert y.shape == (images, *SHAPE)
        assert (np.asarray(y) == np.asarray(y)[:, :1, :1, :1]).all()
        shown += [int(number) for number in y[:, 0, 0, 0]]
        start += images
    return shown


class Feeder(keras.Model):
    """Shows images to a pool inside `train_step`, which Keras does not convert."""

    def __init__(self, pool):
        super().__init__()
        self.pool = pool
        self.shown = keras.metrics.Mean(name="shown")

    def train_step(self, batch):
        self.shown.reset_state()
        self.shown.update_state(self.pool(batch))
        return {"shown": self.shown.result()}


@pytest.mark.parametrize(
    ("route", "batches"),
    [
        ("eager", [1, 3, 1, 4, 11]),
        ("graph", [4] * 5),
        ("unknown N", [1, 3, 1, 4, 11]),
        ("xla", [2] * 10),
    ],
)
def test_follows_the_simulation(route, batches):
    pool, traces = ImagePool(3, seed=5), []
    run = pool

    def traced(x):
        traces.append(x)
        return pool(x)

    if route != "eager":
        images = None if route == "unknown N" else batches[0]
        signature = [tf.TensorSpec((images, *SHAPE))]
        run = tf.function(traced, input_signature=signature, jit_compile=route == "xla")
    shown, kept = simulate(3, 5, 20)
    assert fed(run, batches) == shown
    # that the variables are made on the first call costs no second trace
    assert len(traces) == (route != "eager")
    np.testing.assert_array_equal(pool.images[:, 0, 0, 0], kept)
    assert (int(pool.count), int(pool.draws)) == (3, 20)
    assert sorted(shown) != list(range(1, 21)), "nothing old was ever shown"


@pytest.mark.parametrize(("policy", "jit"), [("mixed_bfloat16", False), ("mixed_float16", True)])
def test_works_in_a_train_step_under_every_policy(policy, jit):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = Feeder(ImagePool(2, seed=1))
        model.compile(jit_compile=jit)
        data = tf.data.Dataset.from_tensor_slices(numbered(300, 12)).batch(1)
        means = []
        record = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda _, logs: means.append(logs["shown"])
        )
        model.fit(data, verbose=0, shuffle=False, callbacks=[record])
    finally:
        keras.config.set_dtype_policy(before)
    shown, _ = simulate(2, 1, 12)
    # 301, 303, ... do not exist in bfloat16
    np.testing.assert_array_equal(means, [number + 300 for number in shown])
    assert [v.dtype for v in model.pool.variables] == ["float32", "int64", "int64"]


def test_decides_per_image_not_per_batch():
    pool = ImagePool(5, seed=0)
    shown = np.reshape(fed(pool, [4] * 10), (10, 4))
    new = shown == np.arange(1, 41).reshape(10, 4)
    assert new[0].all()
    mixed_batches = new[2:].any(axis=1) & ~new[2:].all(axis=1)
    assert mixed_batches.sum() >= 4


def test_half_of_what_the_discriminator_sees_is_old():
    """After the fill, about half is new, the old ones come from all over the pool, and none is
    shown as old twice."""
    pool = ImagePool(10, seed=3)
    run = tf.function(lambda x: pool(x), input_signature=[tf.TensorSpec((None, *SHAPE))])
    shown = np.array(fed(run, [1010]))
    np.testing.assert_array_equal(shown[:10], np.arange(1, 11))
    age = np.arange(1, 1011)[10:] - shown[10:]
    share_new = (age == 0).mean()
    assert 0.45 < share_new < 0.55  # 3 standard deviations are 0.047
    # an old image leaves with p = 1/20 per step, so its age is 20 on average
    assert 17 < age[age > 0].mean() < 23
    old = shown[10:][age > 0]
    assert len(np.unique(old)) == len(old)


def test_seeds_decide():
    assert fed(ImagePool(2, seed=0), [12]) == fed(ImagePool(2, seed=0), [12])
    assert fed(ImagePool(2, seed=0), [12]) != fed(ImagePool(2, seed=1), [12])


def test_restored_state_goes_on_as_if_never_stopped(tmp_path):
    whole = fed(ImagePool(4, seed=2), [1] * 16)
    first = ImagePool(4, seed=2)
    fed(first, [1] * 9)
    path = tf.train.Checkpoint(pool=first).write(str(tmp_path / "pool"))
    second = ImagePool(4, seed=2)
    second.build((1, *SHAPE))
    tf.train.Checkpoint(pool=second).read(path).assert_consumed()
    third = ImagePool(4, seed=2)
    third.build((1, *SHAPE))
    third.set_weights(first.get_weights())
    for pool in (second, third):
        assert fed(pool, [1] * 7, start=9) == whole[9:]


def test_size_zero_shows_everything_and_keeps_nothing():
    pool = ImagePool(0)
    x = tf.random.normal((2, 4, 4, 3))
    np.testing.assert_array_equal(pool(x), x)
    np.testing.assert_array_equal(pool(x[:, :2]), x[:, :2])
    assert pool.variables == []


@pytest.mark.parametrize("size", [0, 2])
def test_no_gradient_passes(size):
    pool, x = ImagePool(size), tf.constant(numbered(0, 2))
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(pool(x) ** 2)
    assert tape.gradient(total, x) is None
    assert pool.trainable_variables == []


def test_images_keep_their_dtype():
    x = tf.cast(numbered(0, 3), tf.bfloat16)
    assert ImagePool(2)(x).dtype == tf.bfloat16


def test_variables_have_names_to_save_by():
    pool = ImagePool(7)
    pool.build((None, 4, 5, 3))
    shapes = {variable.name: tuple(variable.shape) for variable in pool.variables}
    assert shapes == {"images": (7, 4, 5, 3), "count": (), "draws": ()}
    assert pool.compute_output_shape((None, 4, 5, 3)) == (None, 4, 5, 3)


def test_config_covers_the_signature():
    names = {"size_images", "seed"}
    assert names < set(inspect.signature(ImagePool.__init__).parameters)
    pool = ImagePool(7, seed=9, name="pool_x")
    again = ImagePool.from_config(pool.get_config())
    assert names < set(pool.get_config())
    assert again.get_config() == pool.get_config()
    assert (again.size_images, again.seed, again.name) == (7, 9, "pool_x")


def test_refusals_say_what_was_wrong():
    with pytest.raises(ValueError, match="at least 0, got -1"):
        ImagePool(-1)
    with pytest.raises(ValueError, match=r"got shape \(1, None, 4, 3\)"):
        ImagePool(2).build((1, None, 4, 3))
    pool = ImagePool(2)
    pool.build((1, 4, 4, 3))
    with pytest.raises(ValueError, match=r"built for images \(4, 4, 3\), got \(4, 5, 3\)"):
        pool(np.zeros((1, 4, 5, 3), np.float32))


@pytest.mark.parametrize("batch", [None, 1])
def test_another_size_that_the_graph_did_not_know_is_one_sentence(batch):
    pool = ImagePool(3)
    pool(tf.zeros((1, 8, 8, 3)))

    @tf.function(input_signature=[tf.TensorSpec((batch, None, None, 3))])
    def shown(images):
        return pool(tf.tanh(images))

    assert shown(tf.ones((1, 8, 8, 3))).shape == (1, 8, 8, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="ImagePool was built for images"):
        shown(tf.zeros((1, 8, 9, 3)))


def test_a_saved_history_is_read_into_a_pool_without_one_and_none_empties_it():
    pool, store = ImagePool(3, seed=1), {}
    pool(tf.ones((2, 8, 8, 3)))
    pool.save_own_variables(store)
    other = ImagePool(3, seed=1)
    other.load_own_variables(store)
    assert (int(other.count.value), other.images.shape) == (2, (3, 8, 8, 3))
    other.load_own_variables({})
    assert (int(other.count.value), int(other.draws.value)) == (0, 0)
    assert not other.images.numpy().any()
