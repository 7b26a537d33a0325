"""Networks take no more memory than their weights can fill."""

import keras
import pytest

from cyclegan_tf.networks.memory import at_most
from tests.helpers.errors import refused


def dense(units):
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(units)])


def test_what_fits_is_built():
    with at_most(4 * 5 * 2**16), at_most(None):
        assert dense(2**16).count_params() == 5 * 2**16


def test_what_does_not_is_refused_whatever_that_leads_to():
    with refused("memory", match="larger than the weights"), at_most(2**10):
        try:
            dense(2**20)
        except Exception as error:
            raise RuntimeError("Keras has other words") from error


def test_other_errors_stay():
    with pytest.raises(ZeroDivisionError), at_most(2**10):
        _ = 1 / 0
