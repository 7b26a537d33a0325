"""Losses of an experiment that belong to partners, and what they need."""

import pytest

from cyclegan_tf.config.data import Data
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.config.loss import Loss
from cyclegan_tf.config.networks import Discriminator
from tests.helpers.errors import refused


def experiment(data=None, loss=None, **discriminator):
    return Experiment(
        data=Data(**(data or {})),
        loss=Loss(**(loss or {})),
        discriminator=Discriminator(**discriminator),
    )


@pytest.mark.parametrize(
    ("loss", "weights"),
    [
        ({}, (10, 10)),
        ({"paired": 3}, (3, 3)),
        ({"adversarial_x": 0, "cycle_x": 0, "cycle_y": 0, "paired": 100}, (0, 100)),
        ({"adversarial_y": 0, "cycle_x": 0, "cycle_y": 0, "paired": 100}, (100, 0)),
        ({"adversarial_x": 0, "cycle_y": 0, "cycle_x": 10}, (10, 10)),
        ({"adversarial_x": 0, "cycle_x": 0, "cycle_y": 0, "self_y": 1}, (10, 10)),
        ({"adversarial_x": 0, "adversarial_y": 0, "cycle_x": 0, "cycle_y": 0, "paired": 1}, (1, 1)),
    ],
)
def test_both_directions_where_both_generators_play(loss, weights):
    assert Loss(**loss).paired_weights(True) == weights
    assert Loss(**loss).paired_weights(False) == (0, 0)


class TestRefused:
    def test_terms_of_pairs_without_pairs(self):
        with refused("invalid", "loss.paired", match=r"loss\.paired is 5, but data\.pairs is none"):
            experiment(loss={"paired": 5})
        with refused("invalid", "discriminator.conditional"):
            experiment(conditional=True)
        assert experiment(loss={"paired": 0}).loss.paired == 0

    def test_pairs_that_nothing_uses(self):
        with refused("invalid", "data.pairs", match="nothing uses the pairs"):
            experiment({"pairs": "auto"}, {"paired": 0})
        assert experiment({"pairs": "auto"}, {"paired": 0}, conditional=True)

    def test_conditional_discriminators_see_pairs_only(self):
        with refused("invalid", "data.pairs_share", match="sees pairs only"):
            experiment({"pairs": "auto", "pairs_share": 0.5}, conditional=True)
        assert experiment({"pairs": "auto", "pairs_share": 1}, conditional=True)

    def test_self_terms_between_different_channels(self):
        channels = {"channels_x": 1, "channels_y": 3}
        with refused("invalid", "loss.self_y", match="cannot be compared with its translation"):
            experiment(channels, {"self_y": 1, "identity": 0})

    def test_negative_weights(self):
        for name in ("self_x", "self_y", "paired"):
            with refused("invalid", f"loss.{name}"):
                Loss(**{name: -1})

    @pytest.mark.parametrize("pairs", ["0", "-3", "some", "x.txt", "", "2.5"])
    def test_what_pairs_may_be(self, pairs):
        with refused("invalid", "data.pairs"):
            Data(pairs=pairs)

    @pytest.mark.parametrize("share", [0, 1.01, 0.0001, float("nan")])
    def test_what_the_share_may_be(self, share):
        with refused("invalid", "data.pairs_share"):
            Data(pairs="auto", pairs_share=share)
        with refused("invalid", "data.pairs_share", match="there are no pairs to show"):
            Data(pairs_share=0.5)


def test_self_terms_alone_are_a_loss():
    off = dict.fromkeys(("adversarial_x", "adversarial_y", "cycle_x", "cycle_y"), 0.0)
    assert Loss(**off, self_x=1).self_x == 1
    with refused("invalid", "loss"):
        Loss(**off)


def test_a_generator_that_no_term_reaches():
    one_way = Loss(adversarial_x=0, cycle_x=0, cycle_y=0)
    assert [one_way.trains(way, has_pairs=True) for way in ("xy", "yx")] == [True, False]
    nothing_else = {"adversarial_x": 0, "adversarial_y": 0, "cycle_x": 0, "cycle_y": 0}
    alone = Loss(**nothing_else, paired=1)
    assert [alone.trains("yx", has_pairs) for has_pairs in (True, False)] == [True, False]
    assert Loss().trains("xy", has_pairs=False)


def test_semantic_files():
    loss = Loss(semantic="c.keras", semantic_weight=2, adversarial_x=0, cycle_x=0, cycle_y=0)
    assert loss.semantic_weights() == (2, 0)
    assert Loss().semantic_weights() == (0, 0)
    assert Loss(semantic="c.ONNX").semantic_weights() == (1, 1)
    with refused("invalid", "loss.semantic", match=r"\.keras or an \.onnx file"):
        Loss(semantic="c.pt")
    with refused("invalid", "loss.semantic"):
        numbers = {"channels_x": 1, "channels_y": 3}
        experiment(numbers, {"semantic": "c.keras", "identity": 0})
