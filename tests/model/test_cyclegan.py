"""The central file: what one step does, against a plain step written out here, and saving."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.model import gradients, losses
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.model.loss_weights import PAPER_LOSS_WEIGHTS
from cyclegan_tf.model.optimizers import FusedAdam
from cyclegan_tf.networks import convolutions
from cyclegan_tf.networks.builders import build_discriminator, build_generator
from cyclegan_tf.networks.layers import ReflectionPadding2D

SIZE = 16
TERMS = tuple(PAPER_LOSS_WEIGHTS)


def networks(channels_x=3, channels_y=3, filters=2, **options):
    def generator(number, inputs, outputs):
        return build_generator(
            "resnet_6blocks", input_channels=inputs, output_channels=outputs, filters=filters,
            blocks=1, seed=number,
            name=f"generator_{number}", **options,
        )  # fmt: skip

    def discriminator(number, channels):
        return build_discriminator(
            input_channels=channels,
            filters=2,
            n_layers=1,
            seed=number,
            name=f"discriminator_{number}",
        )

    return [
        generator(0, channels_x, channels_y), generator(1, channels_y, channels_x),
        discriminator(2, channels_x), discriminator(3, channels_y),
    ]  # fmt: skip


def model(
    pool_size_images=0,
    generator_rate=1e-2,
    discriminator_rate=1e-2,
    channels=(3, 3),
    **compile_arguments,
):
    gan = CycleGAN(*networks(*channels), pool_size_images=pool_size_images, seed=5)
    gan.compile(
        keras.optimizers.SGD(generator_rate),
        keras.optimizers.SGD(discriminator_rate),
        **compile_arguments,
    )
    return gan


def only(**weights):
    return dict.fromkeys(TERMS, 0.0) | weights


def batch(count=1, seed=0, channels=(3, 3)):
    rng = np.random.default_rng(seed)
    return tuple(
        tf.constant(np.tanh(rng.normal(size=(count, SIZE, SIZE, c))).astype(np.float32))
        for c in channels
    )


def step(gan, data):
    """Eagerly, because making a graph takes far longer than a tiny step; `test_xla...` and `fit`
    take the graph."""
    return {k: float(v) for k, v in gan.train_step(data).items()}


def values(network):
    return [v.numpy() for v in network.trainable_variables]


def moved(before, network):
    return [bool(np.any(a != b)) for a, b in zip(before, values(network), strict=True)]


def plain_step(gan, data, weights, rate):
    """One SGD step written out the long way: six generator calls, one tape per network."""
    g, f, d_x, d_y = gan.generator_xy, gan.generator_yx, gan.discriminator_x, gan.discriminator_y
    x, y = data

    def l1(a, b):
        return tf.reduce_mean(tf.abs(a - b))

    with tf.GradientTape(persistent=True) as tape:
        fake_y, fake_x = g(x, training=True), f(y, training=True)
        terms = {
            "adversarial_x": tf.reduce_mean((d_x(fake_x, training=True) - 1) ** 2),
            "adversarial_y": tf.reduce_mean((d_y(fake_y, training=True) - 1) ** 2),
            "cycle_x": l1(f(fake_y, training=True), x),
            "cycle_y": l1(g(fake_x, training=True), y),
            "identity_x": l1(f(x, training=True), x),
            "identity_y": l1(g(y, training=True), y),
        }
        objective = tf.add_n([weights[name] * value for name, value in terms.items()])
        terms["discriminator_x"] = tf.reduce_mean(
            (d_x(x, training=True) - 1) ** 2
        ) + tf.reduce_mean(d_x(tf.stop_gradient(fake_x), training=True) ** 2)
        terms["discriminator_y"] = tf.reduce_mean(
            (d_y(y, training=True) - 1) ** 2
        ) + tf.reduce_mean(d_y(tf.stop_gradient(fake_y), training=True) ** 2)
        discriminators = 0.5 * (terms["discriminator_x"] + terms["discriminator_y"])
    after = []
    for network, target in (
        (g, objective),
        (f, objective),
        (d_x, discriminators),
        (d_y, discriminators),
    ):
        variables = [v.value for v in network.trainable_variables]
        after.append(
            [
                v.numpy() - rate * d.numpy()
                for v, d in zip(variables, tape.gradient(target, variables), strict=True)
            ]
        )
    return {name: float(value) for name, value in terms.items()}, after


@pytest.mark.parametrize("count", [1, 3])
def test_one_step_equals_the_plain_step_written_out(count):
    gan, data = model(), batch(count)
    expected, after = plain_step(gan, data, PAPER_LOSS_WEIGHTS, 1e-2)
    logs = step(gan, data)
    for name, value in expected.items():
        assert logs[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name
    for network, arrays in zip(
        (gan.generator_xy, gan.generator_yx, gan.discriminator_x, gan.discriminator_y),
        after,
        strict=True,
    ):
        for variable, array in zip(network.trainable_variables, arrays, strict=True):
            np.testing.assert_allclose(variable.numpy(), array, atol=3e-5, err_msg=variable.path)


def in_float64(network):
    """The same network with the same numbers in float64 to the last layer, which ours are not."""

    def wide(layer):
        return layer.__class__.from_config({**layer.get_config(), "dtype": "float64"})

    clone = keras.models.clone_model(network, clone_function=wide)
    rng = np.random.default_rng(3)
    for variable, value in zip(clone.trainable_variables, network.trainable_variables, strict=True):
        variable.assign(
            value.numpy() + 0.1 * rng.normal(size=value.shape)
        )  # biases, gammas and betas count too
    return clone


class ExactSGD(keras.optimizers.SGD):
    """Its loss, and so the gradients' norm, in float64."""

    def scale_loss(self, loss):
        return tf.cast(loss, tf.float64)


@pytest.mark.parametrize("gradient_checkpointing", [False, True], ids=["", "recompute"])
def test_the_fast_step_is_the_plain_one_to_the_last_digits_of_float64(
    monkeypatch, gradient_checkpointing
):
    """At a width where convolutions take the route of matrix products; without float32 there is no
    rounding to hide in.

    The criteria, which are float32 by design, are replaced by their definitions.
    """
    monkeypatch.setattr(losses, "l1", lambda a, b: tf.reduce_mean(tf.abs(a - b)))
    monkeypatch.setattr(
        losses, "generator_adversarial", lambda kind, fake: tf.reduce_mean((fake - 1) ** 2)
    )
    monkeypatch.setattr(
        losses,
        "discriminator_adversarial",
        lambda kind, real, fake: tf.reduce_mean((real - 1) ** 2) + tf.reduce_mean(fake**2),
    )
    rate = 2.0**-7  # the same number in float32
    gan = CycleGAN(
        *(in_float64(network) for network in networks(filters=16, norm_affine=True)),
        pool_size_images=0,
    )
    gan.compile(ExactSGD(rate), ExactSGD(rate), gradient_checkpointing=gradient_checkpointing)
    data = tuple(tf.cast(images, tf.float64) for images in batch(2))
    products = []
    monkeypatch.setattr(
        convolutions, "_filter_gradient", spied(convolutions._filter_gradient, products)
    )
    parts = gan.generator_xy, gan.generator_yx, gan.discriminator_x, gan.discriminator_y
    before = [[v.numpy() for v in network.trainable_variables] for network in parts]
    # Keras's own convolutions, not ours: the reference must not share the route
    with monkeypatch.context() as plain:
        for kind, base in (
            (convolutions.Convolution2D, keras.layers.Conv2D.call),
            (convolutions.CropFirst2D, keras.layers.Cropping2D.call),
            (ReflectionPadding2D, plainly_padded),
        ):
            plain.setattr(kind, "call", lambda self, x, training=False, base=base: base(self, x))
        _, after = plain_step(gan, data, PAPER_LOSS_WEIGHTS, rate)
    assert not products
    step(gan, data)
    assert products, "the route of matrix products was not taken"
    for network, starts, ends in zip(parts, before, after, strict=True):
        way = np.sqrt(
            sum(((end - start) ** 2).sum() for start, end in zip(starts, ends, strict=True))
        )
        assert way > 1e-3
        for variable, end in zip(network.trainable_variables, ends, strict=True):
            assert variable.dtype == "float64"
            np.testing.assert_allclose(
                variable.numpy(), end, rtol=0, atol=1e-10 * way, err_msg=variable.path
            )


def plainly_padded(layer, x):
    (height, width) = layer.padding
    return tf.pad(x, [[0, 0], [height, height], [width, width], [0, 0]], "REFLECT")


def spied(function, calls):
    def call(*arguments):
        calls.append(arguments)
        return function(*arguments)

    return call


@pytest.mark.parametrize(("kind", "dropout"), [("lsgan", False), ("wgangp", True)])
def test_recomputing_changes_no_number(kind, dropout):
    runs = []
    for gradient_checkpointing in (False, True):
        gan = CycleGAN(*networks(dropout=dropout), pool_size_images=2, seed=5)
        rates = [keras.optimizers.SGD(1e-2) for _ in "gd"]
        gan.compile(*rates, gradient_checkpointing=gradient_checkpointing, gan_mode=kind)
        logs = [step(gan, batch(2, seed=i)) for i in range(2)]
        runs.append((logs, [v.numpy() for v in gan.trainable_variables], random_states(gan)))
    (plain_logs, plain_weights, plain_states), (logs, weights, states) = runs
    for mine, theirs in zip(logs, plain_logs, strict=True):
        assert mine == pytest.approx(theirs, rel=2e-5, abs=1e-6)
    for a, b in zip(weights, plain_weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    for a, b in zip(states, plain_states, strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(states) == 1 + 2 * dropout


def random_states(gan):
    generators = [
        v for g in (gan.generator_xy, gan.generator_yx) for v in g.non_trainable_variables
    ]
    return [v.numpy() for v in (*generators, gan.penalty_seed.state)]


@pytest.mark.parametrize("gradient_checkpointing", [False, True])
def test_recompute_reaches_the_generators_in_training_only(monkeypatch, gradient_checkpointing):
    called = []
    monkeypatch.setattr(
        gradients, "rematerialized_call", spied(gradients.rematerialized_call, called)
    )
    gan = model(gradient_checkpointing=gradient_checkpointing)
    gan.test_step(batch())
    assert not called
    gan.train_step(batch())
    assert len(called) == (
        4 if gradient_checkpointing else 0
    )  # each generator: real and identity together, then the cycle
    assert {id(network) for network, *_ in called} <= {id(gan.generator_xy), id(gan.generator_yx)}


def test_no_gradient_of_a_discriminators_weights_is_computed_for_the_generators():
    """Filter gradients: of generators from three calls, of discriminators from their own step."""
    gan = model(loss_weights=only(adversarial_y=1.0))
    graph = tf.function(gan.train_step, autograph=False).get_concrete_function(batch()).graph
    # TensorFlow writes both gradients of a convolution into the graph, and prunes those that nobody
    # reads.
    found = [
        op
        for op in graph.get_operations()
        if op.type == "Conv2DBackpropFilter" and op.outputs[0].consumers()
    ]
    convolutions_of = [
        sum(isinstance(layer, keras.layers.Conv2D) for layer in network.layers)
        for network in (gan.generator_xy, gan.discriminator_y)
    ]
    transposed = sum(
        isinstance(layer, keras.layers.Conv2DTranspose) for layer in gan.generator_xy.layers
    )
    # a transposed convolution's gradient by its filter is the same operation
    assert len(found) == sum(convolutions_of) + transposed


@pytest.mark.parametrize("gradient_checkpointing", [False, True])
def test_the_compile_config_is_whole(gradient_checkpointing):
    gan = model(
        gan_mode="wgangp",
        loss_weights={"cycle_x": 3.0},
        gradient_penalty=7.0,
        gradient_checkpointing=gradient_checkpointing,
    )
    again = CycleGAN.from_config(gan.get_config())
    again.compile_from_config(gan.get_compile_config())
    assert again.get_compile_config() == gan.get_compile_config()
    assert again.gradient_checkpointing is gradient_checkpointing
    assert (again.gan_mode, again.gradient_penalty, again.loss_weights["cycle_x"]) == (
        "wgangp",
        7.0,
        3.0,
    )
    signature = set(inspect.signature(CycleGAN.compile).parameters) - {"self", "kwargs"}
    assert signature == set(gan.get_compile_config())


def test_compile_configs_of_earlier_versions_are_read():
    gan = model(gan_mode="wgangp", loss_weights={"cycle_x": 3.0}, gradient_checkpointing=True)
    now = gan.get_compile_config()
    former = {
        "gan_mode": "adversarial",
        "loss_weights": "weights",
        "gradient_checkpointing": "recompute",
    }
    old = {former.get(name, name): value for name, value in now.items()}
    again = CycleGAN.from_config(gan.get_config())
    again.compile_from_config(old)
    assert again.get_compile_config() == now
    del old["recompute"]  # saved by a version that did not know the option
    again.compile_from_config(old)
    assert again.gradient_checkpointing is False


def test_a_model_that_recomputed_is_saved_and_loaded(tmp_path):
    gan = CycleGAN(*networks(), pool_size_images=2)
    gan.compile(FusedAdam(2e-4, 0.5), FusedAdam(2e-4, 0.5), gradient_checkpointing=True)
    step(gan, batch())
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert loaded.gradient_checkpointing is True
    assert type(loaded.generator_optimizer) is type(loaded.discriminator_optimizer) is FusedAdam
    gan.reset_metrics()  # running means are not saved
    expected, found = step(gan, batch(seed=1)), step(loaded, batch(seed=1))
    assert found == pytest.approx(expected, rel=1e-5)
    for a, b in zip(loaded.trainable_variables, gan.trainable_variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6)


@pytest.mark.parametrize("term", ["cycle_x", "cycle_y"])
def test_each_cycle_term_moves_both_generators(term):
    gan = model(loss_weights=only(**{term: 1.0}))
    before = values(gan.generator_xy), values(gan.generator_yx)
    step(gan, batch())
    kernels = [v.path.endswith("kernel") for v in gan.generator_xy.trainable_variables]
    for network, old in zip((gan.generator_xy, gan.generator_yx), before, strict=True):
        assert all(m for m, kernel in zip(moved(old, network), kernels, strict=True) if kernel)


def test_identity_terms_move_their_own_generator_only():
    gan = model(loss_weights=only(identity_y=1.0))
    before = values(gan.generator_xy), values(gan.generator_yx)
    step(gan, batch())
    assert any(moved(before[0], gan.generator_xy))
    assert not any(moved(before[1], gan.generator_yx))


def test_a_discriminator_step_leaves_generators_bit_equal_and_the_other_way_round():
    for rates, frozen, trained in (
        ((0.0, 1e-2), ("generator_xy", "generator_yx"), ("discriminator_x", "discriminator_y")),
        ((1e-2, 0.0), ("discriminator_x", "discriminator_y"), ("generator_xy", "generator_yx")),
    ):
        gan = model(generator_rate=rates[0], discriminator_rate=rates[1])
        before = {name: values(getattr(gan, name)) for name in (*frozen, *trained)}
        step(gan, batch())
        assert not any(any(moved(before[name], getattr(gan, name))) for name in frozen)
        assert all(any(moved(before[name], getattr(gan, name))) for name in trained)


class Counting(keras.Model):
    """Counts the images that go through a network while a graph is made."""

    def __init__(self, network):
        super().__init__()
        self.network, self.images = network, 0

    def call(self, inputs, training=False):
        self.images += inputs.shape[0]
        return self.network(inputs, training=training)


@pytest.mark.parametrize(
    ("weights", "passes"),
    [
        (PAPER_LOSS_WEIGHTS, (3, 3, 3, 3)),
        (PAPER_LOSS_WEIGHTS | {"identity_x": 0.0, "identity_y": 0.0}, (2, 2, 3, 3)),
        (only(cycle_x=1.0, cycle_y=1.0), (2, 2, 0, 0)),
        (only(adversarial_x=1.0, adversarial_y=1.0), (1, 1, 3, 3)),
        (only(adversarial_y=1.0, cycle_x=10.0), (1, 1, 0, 3)),
        (only(adversarial_y=1.0), (1, 0, 0, 3)),
    ],
    ids=["full", "no_identity", "cycle_alone", "gan_alone", "one_way", "one_generator"],
)
def test_a_weight_of_zero_adds_no_forward_pass(weights, passes):
    counting = [Counting(network) for network in networks()]
    for network in counting:
        network.build((None, SIZE, SIZE, 3))
        network.images = 0
    gan = CycleGAN(*counting, pool_size_images=0)
    gan.compile(keras.optimizers.SGD(), keras.optimizers.SGD(), loss_weights=weights)
    logs = gan.train_step(batch())
    assert tuple(network.images for network in counting) == passes
    assert not [name for name, weight in weights.items() if not weight and name in logs]


def test_a_discriminator_of_weight_zero_may_be_absent_but_a_wanted_one_not():
    g, f, _, d_y = networks()
    gan = CycleGAN(g, f, None, d_y, pool_size_images=0)
    with pytest.raises(ValueError, match=r"adversarial_x has weight 1.0"):
        gan.compile(keras.optimizers.SGD(), keras.optimizers.SGD())
    gan.compile(
        keras.optimizers.SGD(),
        keras.optimizers.SGD(),
        loss_weights=only(adversarial_y=1.0, cycle_x=10.0),
    )
    assert np.isfinite(list(step(gan, batch()).values())).all()


def test_compile_refuses_unknown_terms_and_negative_weights():
    gan = CycleGAN(*networks())
    with pytest.raises(ValueError, match=r"Unknown loss terms \['cycle_z'\]"):
        gan.compile(keras.optimizers.SGD(), keras.optimizers.SGD(), loss_weights={"cycle_z": 1})
    with pytest.raises(ValueError, match="must not be negative"):
        gan.compile(keras.optimizers.SGD(), keras.optimizers.SGD(), loss_weights={"cycle_x": -1})


def test_terms_are_logged_unweighted():
    heavy, light = model(loss_weights={"cycle_x": 100.0}), model()
    assert step(heavy, batch())["cycle_x"] == pytest.approx(
        step(light, batch())["cycle_x"], rel=1e-6
    )


def test_discriminators_get_earlier_fakes_too():
    """With the generators' rate large, a pool makes the discriminators' loss differ from the one
    without."""
    gan_alone = only(adversarial_x=1.0, adversarial_y=1.0)
    with_pool, without = (
        model(pool_size_images=size, generator_rate=0.5, loss_weights=gan_alone) for size in (2, 0)
    )
    logs = [(step(with_pool, batch(seed=i)), step(without, batch(seed=i))) for i in range(6)]
    first, later = logs[0], logs[2:]
    assert first[0]["discriminator_y"] == pytest.approx(first[1]["discriminator_y"], rel=1e-5)
    assert any(
        a["discriminator_y"] != pytest.approx(b["discriminator_y"], rel=1e-3) for a, b in later
    )
    np.testing.assert_array_equal(with_pool.pool_x.count.numpy(), 2)


@pytest.mark.parametrize("kind", ["lsgan", "vanilla", "wgangp"])
@pytest.mark.parametrize("count", [1, 2])
def test_every_kind_trains(kind, count):
    gan = model(gan_mode=kind, pool_size_images=3)
    before = values(gan.discriminator_y)
    for i in range(2):
        logs = step(gan, batch(count, seed=i))
    assert np.isfinite(list(logs.values())).all()
    assert set(logs) == {*gan.metric_names(), "loss"}
    assert ("gradient_penalty_x" in logs) == (kind == "wgangp")
    assert all(
        m for m, v in zip(moved(before, gan.discriminator_y),
        gan.discriminator_y.trainable_variables, strict=True)
        if v.path.endswith("kernel")
    )  # fmt: skip


def test_the_penalty_enters_the_objective():
    """The discriminator's first kernel moves as the hand-written WGAN-GP objective says."""
    gan = model(
        gan_mode="wgangp",
        gradient_penalty=10.0,
        loss_weights=only(adversarial_y=1.0),
        generator_rate=0.0,
    )
    data = batch(2)
    mix = keras.random.uniform((2, 1, 1, 1), seed=keras.random.SeedGenerator(5))
    discriminator, fake = gan.discriminator_y, gan.generator_xy(data[0], training=True)
    with tf.GradientTape() as tape:
        between = mix * data[1] + (1 - mix) * fake
        with tf.GradientTape() as inner:
            inner.watch(between)
            logits = discriminator(between, training=True)
            # An image's score is the mean over its patches, as in the loss.
            slope = inner.gradient(tf.reduce_mean(logits, axis=(1, 2, 3)), between)
        penalty = tf.reduce_mean((tf.sqrt(tf.reduce_sum(slope**2, axis=(1, 2, 3))) - 1) ** 2)
        objective = 0.5 * (
            tf.reduce_mean(discriminator(fake, training=True))
            - tf.reduce_mean(discriminator(data[1], training=True))
            + 10 * penalty
        )
    variables = [v.value for v in discriminator.trainable_variables]
    expected = [
        v.numpy() - 1e-2 * d.numpy()
        for v, d in zip(variables, tape.gradient(objective, variables), strict=True)
    ]
    logs = step(gan, data)
    assert logs["gradient_penalty_y"] == pytest.approx(float(penalty), rel=1e-4)
    for variable, array in zip(discriminator.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), array, atol=1e-5)


def test_same_seed_same_losses():
    runs = []
    for _ in range(2):
        gan = model(pool_size_images=2)
        runs.append([step(gan, batch(seed=i)) for i in range(4)])
    assert runs[0] == runs[1]


def test_unequal_sizes_and_unequal_channels_train():
    gan = model(channels=(1, 4), loss_weights={"identity_x": 0.0, "identity_y": 0.0})
    assert np.isfinite(list(step(gan, batch(channels=(1, 4))).values())).all()
    gan = model()
    x, y = batch()
    assert np.isfinite(list(step(gan, (x[:, :12], y)).values())).all()


def test_test_step_changes_nothing_and_reports_the_same_terms():
    gan, data = model(pool_size_images=2), batch()
    before = [v.numpy() for v in gan.trainable_variables]
    logs = {k: float(v) for k, v in gan.test_step(data).items()}
    assert all((a == v.numpy()).all() for a, v in zip(before, gan.trainable_variables, strict=True))
    expected, _ = plain_step(gan, data, PAPER_LOSS_WEIGHTS, 0.0)
    for name, value in expected.items():
        assert logs[name] == pytest.approx(value, rel=1e-4, abs=1e-5)


def test_five_lines_of_fit_train_and_the_model_is_saved_and_loaded(tmp_path, monkeypatch):
    traces = []
    monkeypatch.setattr(CycleGAN, "_update_generators", spied(CycleGAN._update_generators, traces))
    data = tf.data.Dataset.from_tensor_slices(batch(4)).batch(1)
    gan = CycleGAN(*networks())
    gan.compile(keras.optimizers.Adam(2e-4, 0.5), keras.optimizers.Adam(2e-4, 0.5))
    history = gan.fit(data, epochs=2, verbose=0, validation_data=data, shuffle=False)
    assert len(traces) == 1, "the wait before the first step is twice as long"
    assert set(history.history) >= {"cycle_x", "discriminator_y", "val_cycle_x"}
    assert history.history["cycle_x"][1] < history.history["cycle_x"][0]
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    x = batch()[0]
    np.testing.assert_array_equal(loaded(x), gan(x))
    np.testing.assert_array_equal(loaded.pool_y.images.numpy(), gan.pool_y.images.numpy())
    assert int(loaded.pool_y.count.value) == 8
    for mine, theirs in zip(
        loaded.generator_optimizer.variables, gan.generator_optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
    np.testing.assert_array_equal(gan(x), gan.generator_xy(x))
    assert np.isfinite(list(step(loaded, batch()).values())).all()


def test_config_covers_the_signature():
    gan = CycleGAN(*networks(), pool_size_images=7, seed=9, name="mine")
    again = CycleGAN.from_config(gan.get_config())
    assert (again.pool_size_images, again.seed, again.name) == (7, 9, "mine")
    assert again.generator_xy.count_params() == gan.generator_xy.count_params()


def test_xla_gives_the_same_losses():
    data = batch()
    plain, compiled = model(), model(jit_compile=True)
    expected = step(plain, data)
    logs = tf.function(compiled.train_step, autograph=False, jit_compile=True)(data)
    for name, value in expected.items():
        assert float(logs[name]) == pytest.approx(value, rel=2e-3, abs=1e-5), name


def test_float16_scales_the_loss_and_reports_the_true_gradient_norm():
    gan = CycleGAN(*networks(), pool_size_images=0)
    optimizers = [
        keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1e-2), initial_scale=1024)
        for _ in "gd"
    ]
    gan.compile(*optimizers)
    data = batch()
    reference = model()
    expected = step(reference, data)
    logs = step(gan, data)
    for name in ("gradient_norm_generators", "gradient_norm_discriminators"):
        assert logs[name] == pytest.approx(expected[name], rel=1e-3)
    for mine, theirs in zip(gan.trainable_variables, reference.trainable_variables, strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), atol=2e-5)


# Batch normalization.


def of_batch_norm(**compile_arguments):
    generators = networks(norm="batch")[:2]
    discriminators = [
        build_discriminator(
            filters=2, n_layers=1, norm="batch", seed=seed, name=f"discriminator_{seed}"
        )
        for seed in (2, 3)
    ]
    gan = CycleGAN(*generators, *discriminators, pool_size_images=0, seed=5)
    gan.compile(keras.optimizers.SGD(1e-2), keras.optimizers.SGD(1e-2), **compile_arguments)
    return gan


def copied(network):
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    return copy


def statistics(network):
    return {v.path: v.value.numpy() for v in network.non_trainable_variables}


@pytest.mark.parametrize(
    ("gradient_checkpointing", "in_graph"),
    [
        pytest.param(False, False, id="eager"),
        pytest.param(True, False, id="recompute"),
        pytest.param(True, True, id="recompute_in_graph", marks=pytest.mark.slow),
    ],
)
def test_batch_normalization_sees_each_batch_by_itself_and_keeps_its_statistics(
    gradient_checkpointing, in_graph
):
    """A step equals the plain one, whose calls are separate; moving statistics are those of the
    same calls in a row."""
    gan, data = of_batch_norm(gradient_checkpointing=gradient_checkpointing), batch(2)
    parts = [gan.generator_xy, gan.generator_yx, gan.discriminator_x, gan.discriminator_y]
    reference = CycleGAN(*map(copied, parts), pool_size_images=0)
    expected, after = plain_step(reference, data, PAPER_LOSS_WEIGHTS, 1e-2)
    g, f, d_x, d_y = map(copied, parts)
    (x, y), (fake_x, fake_y) = (
        data,
        (copied(f)(data[1], training=True), copied(g)(data[0], training=True)),
    )
    calls = {
        g: (x, y, fake_x),
        f: (y, x, fake_y),
        d_x: (fake_x, x, fake_x),
        d_y: (fake_y, y, fake_y),
    }
    for network, batches in calls.items():
        for images in batches:
            network(images, training=True)
    start = [statistics(network) for network in parts]

    train_step = tf.function(gan.train_step, autograph=False) if in_graph else gan.train_step
    logs = {name: float(value) for name, value in train_step(data).items()}
    for name, value in expected.items():
        assert logs[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name
    for network, arrays in zip(parts, after, strict=True):
        for variable, array in zip(network.trainable_variables, arrays, strict=True):
            np.testing.assert_allclose(variable.numpy(), array, atol=5e-5, err_msg=variable.path)
    for network, called, before in zip(parts, calls, start, strict=True):
        wanted = statistics(called)
        assert wanted
        for path, value in statistics(network).items():
            assert np.abs(value - before[path]).max() > 1e-4, path
            np.testing.assert_allclose(value, wanted[path], rtol=1e-3, atol=1e-5, err_msg=path)


def test_measuring_leaves_the_statistics_of_batch_normalization_alone():
    gan = of_batch_norm()
    step(gan, batch(2))
    networks_of_gan = [gan.generator_xy, gan.discriminator_y]
    before = [statistics(network) for network in networks_of_gan]
    gan.reset_metrics()
    logs = {name: float(value) for name, value in gan.test_step(batch(2, seed=1)).items()}
    for network, kept in zip(networks_of_gan, before, strict=True):
        for path, value in statistics(network).items():
            np.testing.assert_array_equal(value, kept[path])
    g, f = gan.generator_xy, gan.generator_yx
    x, _ = batch(2, seed=1)
    cycle = float(tf.reduce_mean(tf.abs(f(g(x, training=False), training=False) - x)))
    assert logs["cycle_x"] == pytest.approx(cycle, rel=1e-5)


def test_losses_module_is_the_only_home_of_the_criteria():
    assert set(losses.GanMode.__args__) == {"lsgan", "vanilla", "wgangp"}
