"""Both optimizers on a loss whose least is known; their bounds, their end, their mistakes."""

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.errors import TrainingStoppedError
from cyclegan_tf.stylize.optimizers import OPTIMIZERS
from tests.helpers.errors import refused

GOAL = tf.constant([[[[0.3, -0.7, 4.0]]]])  # the last lies out of the bounds
START = tf.zeros((1, 1, 1, 3))


def parabola(image):
    return tf.reduce_sum((image - GOAL) ** 2), 2 * (image - GOAL)


@pytest.fixture(params=OPTIMIZERS)
def optimizer(request):
    if request.param == "lbfgs":
        pytest.importorskip("scipy")
    return OPTIMIZERS[request.param]


def test_it_finds_the_least_within_the_bounds(optimizer):
    losses = []
    found = optimizer(parabola, START, 90, losses.append)
    np.testing.assert_allclose(found[0, 0, 0], [0.3, -0.7, 1.0], atol=0.02)
    assert found.dtype == tf.float32
    assert 1 < len(losses) <= 90
    assert losses[-1] < losses[0]


def test_it_takes_no_more_steps_than_asked_for(optimizer):
    losses = []
    optimizer(lambda x: (tf.reduce_sum(x**4 - x + 5), 4 * x**3 - 1), START, 3, losses.append)
    assert len(losses) == 3


def test_where_nothing_is_left_to_do_it_stays_put(optimizer):
    losses = []
    noise = tf.constant([[[[1e-9, -1e-9, 1e-9]]]])  # which Adam would follow at full speed
    found = optimizer(lambda image: (tf.constant(1e-12), noise), START, 9, losses.append)
    np.testing.assert_array_equal(found, START)
    assert len(losses) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_no_number_ends_it(optimizer, value):
    with refused("stopped", kind=TrainingStoppedError):
        optimizer(lambda image: (tf.constant(value), image), START, 9, lambda _: None)
