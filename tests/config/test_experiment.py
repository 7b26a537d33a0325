"""The experiment's rules, each with the field's name and the value received in its message."""

import pytest
import yaml

from cyclegan_tf.config.experiment import (
    Data,
    Discriminator,
    Experiment,
    Generator,
    Logging,
    Loss,
    Optimizer,
    Training,
)
from tests.helpers.errors import refused


def test_defaults_are_the_papers_recipe():
    e = Experiment()
    assert (e.data.load_size_px, e.data.crop_size_px, e.data.batch_size, e.data.flip) == (
        286,
        256,
        1,
        True,
    )
    assert (e.generator.architecture, e.discriminator.n_layers) == ("resnet_9blocks", 3)
    assert (e.loss.gan_mode, e.loss.cycle_x, e.loss.cycle_y) == ("lsgan", 10, 10)
    assert e.loss.identity_weights() == (5, 5)
    assert (
        e.optimizer.learning_rate,
        e.optimizer.beta_1,
        e.optimizer.beta_2,
        e.optimizer.epsilon,
    ) == (
        2e-4,
        0.5,
        0.999,
        1e-8,
    )
    assert (e.training.constant_epochs, e.training.decay_epochs, e.training.pool_size_images) == (
        100,
        100,
        50,
    )


def test_identity_is_relative_to_the_cycle_of_the_same_image_unless_set_by_itself():
    assert Loss(cycle_x=4, cycle_y=8, identity=0.25).identity_weights() == (1, 2)
    assert Loss(identity_x=3.0).identity_weights() == (3, 5)
    assert Loss(cycle_y=0).identity_weights() == (5, 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Generator(filters=0), "generator.filters is 0"),
        (lambda: Discriminator(n_layers=7), "discriminator.n_layers is 7"),
        (
            lambda: Generator(norm="batch", norm_affine=True),
            "generator.norm_affine is True, but generator.norm batch",
        ),
        (
            lambda: Discriminator(norm="batch", norm_affine=True),
            "discriminator.norm_affine is True",
        ),
        (lambda: Loss(cycle_x=-1.0), "loss.cycle_x is -1.0"),
        (
            lambda: Loss(adversarial_x=0, adversarial_y=0, cycle_x=0, cycle_y=0),
            "at least one term",
        ),
        (lambda: Optimizer(learning_rate=0), "optimizer.learning_rate is 0"),
        (lambda: Optimizer(beta_1=1.0), "optimizer.beta_1 is 1.0"),
        (lambda: Training(max_minutes=0), "training.max_minutes is 0"),
        (lambda: Training(constant_epochs=0, decay_epochs=0), "at least one epoch"),
        (lambda: Experiment(data=Data(preprocess="none")), "pool_size_images 0"),
        (
            lambda: Training(ema_half_life_images=0.0),
            "training.ema_half_life_images is 0.0, but it must be above 0",
        ),
        (lambda: Training(early_stopping_patience=0), "training.early_stopping_patience is 0"),
        (lambda: Logging(score_every_epochs=-1), "logging.score_every_epochs is -1"),
        (lambda: Logging(score_images=0), "logging.score_images is 0"),
        (
            lambda: Experiment(
                training=Training(early_stopping_patience=3), logging=Logging(score_every_epochs=0)
            ),
            "training.early_stopping_patience is 3, but logging.score_every_epochs is 0",
        ),
    ],
)
def test_rules_name_field_and_value(make, message):
    with refused("invalid", match=message, kind=ValueError):
        make()


def test_identity_needs_equal_channels():
    with refused(
        "mismatch",
        "loss.identity",
        match=r"identity.*channels_x is 1.*channels_y is 3",
        kind=ValueError,
    ):
        Experiment(data=Data(channels_x=1, channels_y=3))
    Experiment(data=Data(channels_x=1, channels_y=3), loss=Loss(identity=0))
    Experiment(data=Data(channels_x=1))  # Y's images are still to decide


def test_dictionary_and_yaml_round_trip():
    e = Experiment(
        data=Data(crop_size_px=128),
        training=Training(max_minutes=2.5),
        optimizer=Optimizer(epsilon=1e-8),
    )
    assert Experiment.from_dict(yaml.safe_load(yaml.safe_dump(e.as_dict()))) == e
    with pytest.raises(TypeError):
        Experiment.from_dict({"data": {"crop": 1}})


def test_averages_and_early_stop_are_off_and_scores_on_unless_asked_for():
    e = Experiment()
    assert e.training.ema_half_life_images is None
    assert e.training.early_stopping_patience is None
    assert e.training.best_metric == "color_swd"
    assert (e.logging.score_every_epochs, e.logging.score_images) == (5, 20)
    assert Logging(score_every_epochs=0).score_every_epochs == 0


def test_a_config_written_before_there_were_scores_or_norms_takes_the_defaults():
    old = Experiment().as_dict()
    for section, names in {
        "generator": ("norm",),
        "discriminator": ("norm",),
        "training": ("ema_half_life_images", "best_metric", "early_stopping_patience", "freeze"),
        "logging": ("score_every_epochs", "score_images"),
    }.items():
        for name in names:
            del old[section][name]
    assert Experiment.from_dict(old) == Experiment()
    defaults = Experiment()
    assert (defaults.generator.norm, defaults.discriminator.norm) == ("instance", "instance")
    assert defaults.training.freeze == "none"
