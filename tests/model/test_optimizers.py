"""The fused Adam against Keras's own and against the algorithm in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.model.optimizers import FusedAdam
from tests.helpers.preloaded import run_code

SHAPES = [(), (5,), (2, 3), (3, 3, 2, 4)]
RATES = [2e-4, 2e-4, 1e-2, 0.0, 5e-3]
RECIPE = {"beta_1": 0.5, "beta_2": 0.999, "epsilon": 1e-8}


def started(dtype="float32"):
    """Variables that start alike each time."""
    rng = np.random.default_rng(0)
    return [keras.Variable(rng.normal(size=shape), dtype=dtype) for shape in SHAPES]


def gradients(step, dtype="float32"):
    """Of very different sizes, the second all zeros, the third zero at every other step."""
    rng = np.random.default_rng(100 + step)
    sizes = [1.0, 0.0, float(step % 2), 1e-4]
    return [
        tf.constant(size * rng.normal(size=shape), dtype)
        for size, shape in zip(sizes, SHAPES, strict=True)
    ]


def run(optimizer, variables, steps, dtype="float32", first=0, apply=None):
    """`steps` steps with the rates of RATES in turn; returns how far the variables went, and the
    optimizer's own."""
    start = [v.numpy() for v in variables]
    for step in range(first, first + steps):
        optimizer.learning_rate = RATES[step % len(RATES)]
        (apply or optimizer.apply)(gradients(step, dtype), variables)
    return [v.numpy() - old for v, old in zip(variables, start, strict=True)] + [
        v.numpy() for v in optimizer.variables
    ]


def assert_alike(found, expected, **tolerance):
    """1 - beta_2 = 0.001 is off by 1.3e-5 of itself in float32, in which the kernel takes it; so
    the moments may."""
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, **{"rtol": 2e-5, "atol": 1e-6, **tolerance})


def pair(dtype="float32", **options):
    """FusedAdam and Keras's Adam, each built for variables of its own."""
    both = []
    for kind in (FusedAdam, keras.optimizers.Adam):
        optimizer, variables = kind(1e-3, **RECIPE | options), started(dtype)
        optimizer.build(variables)
        both.append((optimizer, variables))
    return both


@pytest.mark.parametrize("epsilon", [1e-8, 1e-3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equals_keras_adam_while_the_rate_changes(dtype, epsilon):
    (fused, mine), (plain, theirs) = pair(dtype, epsilon=epsilon)
    found, expected = run(fused, mine, 25, dtype), run(plain, theirs, 25, dtype)
    assert_alike(found, expected)
    assert np.abs(found[0]) > 5e-3
    assert not found[1].any()  # all its gradients were zero


def algorithm(rates, slopes, start, beta_1, beta_2, epsilon):
    """Kingma and Ba 2015, algorithm 1 in the faster order of its section 2, in float64: (values, m,
    v)."""
    theta, m, v = start.copy(), np.zeros_like(start), np.zeros_like(start)
    for t, (rate, slope) in enumerate(zip(rates, slopes, strict=True), start=1):
        m = beta_1 * m + (1 - beta_1) * slope
        v = beta_2 * v + (1 - beta_2) * slope**2
        theta = theta - rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (np.sqrt(v) + epsilon)
    return theta, m, v


def test_twenty_five_steps_are_those_of_the_algorithm():
    """In float64 to the last digits; Keras itself is not, since it rounds the betas to float32."""
    optimizer, variables = pair("float64")[0]
    start = [v.numpy() for v in variables]
    run(optimizer, variables, 25, "float64")
    rates = [float(np.float32(RATES[step % len(RATES)])) for step in range(25)]
    for index, variable in enumerate(variables):
        slopes = [gradients(step, "float64")[index].numpy() for step in range(25)]
        expected = algorithm(rates, slopes, start[index], **RECIPE)
        moments = optimizer._momentums[index], optimizer._velocities[index]
        for mine, theirs in zip((variable, *moments), expected, strict=True):
            np.testing.assert_allclose(mine.numpy(), theirs, rtol=1e-12, atol=1e-15)


def test_two_steps_by_hand():
    variable = keras.Variable([1.0, -2.0, 0.5], dtype="float64")
    optimizer = FusedAdam(0.125, 0.5, 0.9, 1e-8)
    optimizer.build([variable])
    optimizer.apply([tf.constant([0.5, -0.25, 0.0], tf.float64)], [variable])
    # the first step is as long as the rate, whatever the gradient
    np.testing.assert_allclose(variable.numpy(), [0.875, -1.875, 0.5], atol=1e-7)
    optimizer.apply([tf.constant([-1.0, 0.75, 0.0], tf.float64)], [variable])
    m, v = np.array([-0.375, 0.3125, 0.0]), np.array([0.1225, 0.061875, 1.0])
    np.testing.assert_allclose(optimizer._momentums[0].numpy(), m, rtol=1e-12)
    np.testing.assert_allclose(optimizer._velocities[0].numpy(), v * [1, 1, 0], rtol=1e-12)
    second = 0.125 * np.sqrt(0.19) / 0.75 * m / np.sqrt(v)
    np.testing.assert_allclose(variable.numpy(), [0.875, -1.875, 0.5] - second, atol=1e-7)


def test_bfloat16_gradients_are_cast_and_moments_stay_float32():
    (fused, mine), (plain, theirs) = pair()
    half = [[tf.cast(g, "bfloat16") for g in gradients(step)] for step in range(6)]
    for slopes in half:
        fused.apply(slopes, mine)
        plain.apply([tf.cast(g, "float32") for g in slopes], theirs)
    assert_alike(
        [v.numpy() for v in [*mine, *fused.variables]],
        [v.numpy() for v in [*theirs, *plain.variables]],
    )
    assert {str(v.dtype) for v in (*fused._momentums, *fused._velocities)} == {"float32"}


@pytest.mark.parametrize(
    "options",
    [
        {"amsgrad": True},
        {"clipnorm": 0.1},
        {"global_clipnorm": 0.1},
        {"clipvalue": 0.05},
        {"weight_decay": 0.1},
        {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 2},
        {"gradient_accumulation_steps": 2},
    ],
    ids=lambda options: next(iter(options)),
)
def test_every_option_of_keras_adam_still_works(options):
    (fused, mine), (plain, theirs) = pair(**options)
    found = run(fused, mine, 6)
    assert_alike(found, run(plain, theirs, 6))
    usual = run(*pair()[0], 6)
    assert any(np.any(a != b) for a, b in zip(found[: len(SHAPES)], usual, strict=False)), (
        "the option does nothing"
    )


def test_sparse_gradients_work():
    results = []
    for kind in (FusedAdam, keras.optimizers.Adam):
        table = keras.Variable(np.arange(8.0).reshape(4, 2), dtype="float32")
        optimizer = kind(0.1)
        optimizer.build([table])
        for _ in range(3):
            rows = tf.IndexedSlices(tf.ones((2, 2)), tf.constant([1, 3]), tf.constant([4, 2]))
            optimizer.apply([rows], [table])
        results.append(table.numpy())
    np.testing.assert_allclose(*results, rtol=1e-6)
    assert results[0][1, 0] < 2


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_variables_in_half_precision_go_the_way_of_keras(dtype):
    (fused, mine), (plain, theirs) = pair(dtype, epsilon=1e-3)
    for a, b in zip(run(fused, mine, 3, dtype), run(plain, theirs, 3, dtype), strict=True):
        np.testing.assert_array_equal(np.float32(a), np.float32(b))


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
def test_the_same_inside_a_function(jit):
    (fused, mine), (plain, theirs) = pair()
    compiled = tf.function(
        lambda slopes: fused.apply(slopes, mine), autograph=False, jit_compile=jit
    )
    found = run(fused, mine, 7, apply=lambda slopes, _: compiled(slopes))
    assert_alike(found, run(plain, theirs, 7))
    assert compiled.experimental_get_tracing_count() == 1


def test_one_kernel_updates_a_variable():
    (fused, mine), (plain, theirs) = pair()

    def operations(optimizer, variables):
        graph = tf.function(lambda slopes: optimizer.apply(slopes, variables), autograph=False)
        return [op.type for op in graph.get_concrete_function(gradients(0)).graph.get_operations()]

    found = operations(fused, mine)
    assert found.count("ResourceApplyAdam") == len(SHAPES)
    assert "Sqrt" not in found
    assert "ResourceApplyAdam" not in operations(plain, theirs)


def tiny_model(optimizer):
    keras.utils.set_random_seed(7)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)]
    )
    model.compile(optimizer, loss="mse")
    return model


def train(model, batches):
    for seed in batches:
        x = np.random.default_rng(seed).normal(size=(4, 3)).astype(np.float32)
        model.train_on_batch(x, x[:, :1] ** 2)
    return [v.numpy() for v in model.weights]


def test_a_saved_model_goes_on_as_if_it_had_never_stopped(tmp_path):
    expected = train(tiny_model(keras.optimizers.Adam(0.01, 0.5)), range(6))
    model = tiny_model(FusedAdam(0.01, 0.5))
    train(model, range(3))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is FusedAdam
    assert int(loaded.optimizer.iterations) == 3
    for a, b in zip(loaded.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    assert_alike(train(loaded, range(3, 6)), expected, rtol=1e-5, atol=1e-6)


def test_config_keeps_the_type_and_every_argument():
    adam = FusedAdam(
        3e-4, 0.4, 0.98, 1e-6, amsgrad=True, weight_decay=0.01, clipnorm=2.0, name="mine"
    )
    again = keras.optimizers.deserialize(keras.optimizers.serialize(adam))
    assert type(again) is FusedAdam
    assert again.get_config() == adam.get_config()
    assert type(FusedAdam.from_config(adam.get_config())) is FusedAdam
    assert FusedAdam().get_config() | {"name": ""} == keras.optimizers.Adam().get_config() | {
        "name": ""
    }


@pytest.mark.parametrize(
    "kinds", [(keras.optimizers.Adam, FusedAdam), (FusedAdam, keras.optimizers.Adam)]
)
def test_moments_can_be_handed_between_both(kinds):
    """A run begun with one goes on with the other: the same variables, names and order, as
    `state.variables` asks."""
    before, after = (kind(1e-3, **RECIPE) for kind in kinds)
    variables = started()
    for optimizer in (before, after):
        optimizer.build(variables)
    run(before, variables, 4)
    describe = [
        [(v.name, tuple(v.shape), str(v.dtype)) for v in o.variables] for o in (before, after)
    ]
    assert describe[0] == describe[1]
    for mine, theirs in zip(after.variables, before.variables, strict=True):
        mine.assign(theirs)
    found = run(after, variables, 4, first=4)
    adam, undisturbed = pair()[1]
    run(adam, undisturbed, 4)
    assert_alike(found, run(adam, undisturbed, 4, first=4))


def test_loss_scaling_wraps_it():
    results = []
    for kind in (FusedAdam, keras.optimizers.Adam):
        variables = started()
        optimizer = keras.optimizers.LossScaleOptimizer(kind(1e-3, **RECIPE), initial_scale=1024.0)
        optimizer.build(variables)
        for step in range(4):
            slopes = [1024.0 * g for g in gradients(step)]
            if step == 2:  # a step that overflowed must change nothing, and halve the scale
                kept = [v.numpy() for v in variables]
                optimizer.apply([g / tf.zeros(()) for g in slopes], variables)
                assert_alike([v.numpy() for v in variables], kept, rtol=0, atol=0)
                slopes = [g / 2 for g in slopes]
            optimizer.apply(slopes, variables)
        assert float(optimizer.scale_loss(tf.ones(()))) == 512.0
        results.append([v.numpy() for v in [*variables, *optimizer.variables]])
    assert_alike(*results)


MIRRORED = """
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from cyclegan_tf.model.optimizers import FusedAdam

def train(optimizer):
    keras.utils.set_random_seed(7)
    layers = [keras.Input((3,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(optimizer(0.01, 0.5), loss="mse")
    x = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    data = tf.data.Dataset.from_tensor_slices((x, x[:, :1] ** 2)).batch(4)
    model.fit(data, epochs=2, verbose=0, shuffle=False)
    return [v.numpy() for v in [*model.weights, *model.optimizer.variables]]

single = train(keras.optimizers.Adam)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert strategy.num_replicas_in_sync == 2
with strategy.scope():
    both = train(FusedAdam)
for a, b in zip(both, single, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
print("the same")
"""


@pytest.mark.slow
def test_two_devices_give_what_one_gives(tmp_path):
    status, output = run_code(MIRRORED, tmp_path)
    assert status == 0, output[-3000:]
    assert "the same" in output
