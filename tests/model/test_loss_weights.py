"""Weights of terms: the paper's, the given ones, the discriminators' half."""

import pytest
import tensorflow as tf

from cyclegan_tf.model.loss_weights import (
    PAPER_LOSS_WEIGHTS,
    complete_weights,
    idle_generators,
    weighted_sum,
)


def test_given_weights_lie_over_the_papers():
    assert complete_weights({}) == PAPER_LOSS_WEIGHTS
    assert complete_weights({"cycle_x": 3.0}) == PAPER_LOSS_WEIGHTS | {"cycle_x": 3.0}


@pytest.mark.parametrize("wrong", [{"cycle_z": 1.0}, {"cycle_x": -1.0}])
def test_unknown_and_negative_weights_are_refused(wrong):
    with pytest.raises(ValueError, match=r"Unknown loss terms|must not be negative"):
        complete_weights(wrong)


def test_each_term_has_its_weight():
    def total(**terms):
        terms = {name: tf.constant(value) for name, value in terms.items()}
        return float(weighted_sum(terms, complete_weights({}), 4.0))

    assert total(adversarial_x=2.0, cycle_y=3.0, identity_x=1.0) == 2 + 30 + 5
    assert total(discriminator_x=2.0, gradient_penalty_x=3.0) == 1 + 0.5 * 4 * 3


def test_terms_that_the_paper_has_not_are_known_where_they_are_given():
    assert complete_weights({"self_x": 0.1, "paired_y": 2})["paired_y"] == 2


def test_generators_that_no_term_reaches():
    off = dict.fromkeys(PAPER_LOSS_WEIGHTS, 0.0)
    assert idle_generators(PAPER_LOSS_WEIGHTS) == set()
    assert idle_generators(off | {"adversarial_y": 1.0, "paired_y": 100.0}) == {"yx"}
    assert idle_generators(off | {"self_y": 1.0}) == {"xy"}
    assert idle_generators(off | {"cycle_x": 1.0}) == set()
