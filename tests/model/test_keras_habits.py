"""What Keras's callbacks, files and habits ask of a model, on `CycleGAN`."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.model.loss_weights import PAPER_LOSS_WEIGHTS
from cyclegan_tf.networks.builders import build_discriminator, build_generator

CALLBACKS = keras.callbacks


@contextlib.contextmanager
def policy_of(name):
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy("float32")


def networks():
    def generator(seed):
        return build_generator("resnet_6blocks", filters=2, blocks=1, seed=seed)

    def discriminator(seed):
        return build_discriminator(filters=2, n_layers=1, seed=seed)

    return generator(0), generator(1), discriminator(2), discriminator(3)


def compiled(optimizers=None, **options):
    gan = CycleGAN(*networks(), pool_size_images=3, seed=5)
    gan.compile(*(optimizers or [keras.optimizers.Adam(1e-3) for _ in "gd"]),
                **{"run_eagerly": True, **options})  # fmt: skip
    return gan


def images(count=2):
    rng = np.random.default_rng(0)
    return [rng.uniform(-1, 1, (count, 16, 16, 3)).astype(np.float32) for _ in "xy"]


def fit(gan, epochs=1, callbacks=(), count=2):
    pairs = tf.data.Dataset.from_tensor_slices(tuple(images(count))).batch(1)
    return gan.fit(pairs, epochs=epochs, shuffle=False, verbose=0, callbacks=list(callbacks))


def weights(gan):
    return np.concatenate([variable.numpy().ravel() for variable in gan.variables])


def test_callbacks_change_and_write_the_rates_of_both_optimizers(tmp_path):
    gan = compiled()
    fit(gan, 2, [
        CALLBACKS.LearningRateScheduler(lambda epoch, rate: rate / 10 if epoch == 0 else rate),
        CALLBACKS.ReduceLROnPlateau(monitor="loss", patience=0, min_delta=1e9, factor=0.5),
        CALLBACKS.TensorBoard(tmp_path, write_steps_per_second=True, update_freq=1),
    ])  # fmt: skip
    rates = [float(one.learning_rate) for one in gan.optimizer.optimizers]
    assert rates == pytest.approx([0.5e-4, 0.5e-4])
    assert int(gan.optimizer.iterations.value) == 4
    assert list(tmp_path.rglob("events.*"))


def test_a_training_that_is_not_finite_ends():
    gan = compiled([keras.optimizers.SGD(1e12) for _ in "gd"])
    history = fit(gan, 5, [CALLBACKS.TerminateOnNaN()])
    assert len(history.epoch) < 5


@pytest.mark.parametrize("gan_mode", ["lsgan", "wgangp"])
def test_loss_is_the_weighted_sum_of_all_terms(gan_mode):
    logs = compiled(gan_mode=gan_mode).train_on_batch(*images(1), return_dict=True)
    penalty = {f"gradient_penalty_{domain}": 5.0 for domain in "xy" if gan_mode == "wgangp"}
    all_weights = PAPER_LOSS_WEIGHTS | {"discriminator_x": 0.5, "discriminator_y": 0.5} | penalty
    expected = sum(weight * float(logs[name]) for name, weight in all_weights.items())
    assert float(logs["loss"]) == pytest.approx(expected, rel=1e-6)


def test_a_test_batch_has_a_loss_too():
    gan = compiled()
    before = weights(gan)
    assert np.isfinite(gan.test_on_batch(*images(1), return_dict=True)["loss"])
    np.testing.assert_array_equal(weights(gan)[: len(before)], before)


def test_backup_and_restore_goes_on_as_if_nothing_had_happened(tmp_path):
    class Crash(CALLBACKS.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise InterruptedError

    whole = compiled()
    fit(whole, 3, count=1)
    with pytest.raises(InterruptedError):
        fit(compiled(), 3, [CALLBACKS.BackupAndRestore(tmp_path), Crash()], count=1)
    again = compiled()
    assert fit(again, 3, [CALLBACKS.BackupAndRestore(tmp_path)], count=1).epoch == [2]
    np.testing.assert_array_equal(weights(again), weights(whole))
    assert int(again.pool_x.draws.value) == 3


def test_weights_files_hold_the_pools(tmp_path):
    trained = compiled()
    trained.save_weights(tmp_path / "new.weights.h5")
    fit(trained)
    trained.save_weights(tmp_path / "trained.weights.h5")
    other = compiled()
    other.load_weights(tmp_path / "trained.weights.h5")
    np.testing.assert_array_equal(other.pool_y.images.numpy(), trained.pool_y.images.numpy())
    other.load_weights(tmp_path / "new.weights.h5")  # its pools were empty
    assert (int(other.pool_y.count.value), int(other.pool_y.draws.value)) == (0, 0)
    assert not other.pool_y.images.numpy().any()


def test_optimizers_may_be_names_but_not_one_for_both():
    gan = compiled(["adam", "sgd"])
    assert [type(one).__name__ for one in gan.optimizer.optimizers] == ["Adam", "SGD"]
    adam = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="one and the same"):
        compiled([adam, adam])


def test_there_are_no_other_metrics():
    with pytest.raises(ValueError, match="without metrics"):
        compiled(metrics=["mae"])


def test_a_model_that_is_not_compiled_is_cloned_and_saved(tmp_path):
    gan = CycleGAN(*networks())
    assert isinstance(keras.models.clone_model(gan), CycleGAN)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert not loaded.compiled
    np.testing.assert_array_equal(loaded(images()[0]), gan(images()[0]))


def test_all_options_of_compile_are_saved(tmp_path):
    gan = compiled(steps_per_execution=2, auto_scale_loss=False)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert (loaded.steps_per_execution, loaded.run_eagerly) == (2, True)
    assert loaded.auto_scale_loss is False
    assert keras.models.clone_model(gan).compiled


def test_the_loss_is_scaled_under_mixed_float16_once(tmp_path):
    with policy_of("mixed_float16"):
        gan = compiled()
        gan.save(tmp_path / "gan.keras")
        for one in (gan, keras.saving.load_model(tmp_path / "gan.keras")):
            (outer, _) = one.optimizer.optimizers
            assert isinstance(outer, keras.optimizers.LossScaleOptimizer)
            assert isinstance(outer.inner_optimizer, keras.optimizers.Adam)


def test_networks_of_one_name_are_named_after_their_places():
    gan = CycleGAN(*networks())
    assert [layer.name for layer in gan.layers[:4]] == [
        "generator_xy", "generator_yx", "discriminator_x", "discriminator_y",
    ]  # fmt: skip
    first, *others = networks()
    first.name = "mine"
    assert CycleGAN(first, *others).generator_xy.name == "mine"


def test_an_h5_file_has_no_place_for_two_optimizers(tmp_path):
    gan = compiled()
    with pytest.raises(ValueError, match=r"saved as \.keras or \.weights\.h5"):
        gan.save(tmp_path / "gan.h5")
    gan.generator_xy.save(tmp_path / "generator.h5")
    loaded = keras.saving.load_model(tmp_path / "generator.h5", compile=False)
    np.testing.assert_array_equal(loaded(images()[0]), gan(images()[0]))


def test_export_writes_what_call_does(tmp_path):
    gan = compiled()
    fit(gan)
    gan.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    np.testing.assert_allclose(exported.serve(images()[0]), gan(images()[0]), atol=1e-6)


@pytest.mark.parametrize("policy", ["float16", "bfloat16", "float64", "mixed_bfloat16"])
def test_every_dtype_policy_trains(policy):
    with policy_of(policy):
        logs = compiled().train_on_batch(*images(1), return_dict=True)
    assert np.isfinite(list(logs.values())).all()


def test_arrays_of_float64_train():
    data = tuple(tf.constant(one, tf.float64) for one in images(1))
    assert np.isfinite(float(compiled().train_step(data)["loss"]))
