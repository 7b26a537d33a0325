"""The nearest known vector by angle."""

import numpy as np
import pytest

from cyclegan_tf.metrics.neighbors import nearest


def test_angles_not_lengths_decide():
    known = np.array([[0.0, 5.0], [1.0, 1.0], [2.0, 0.0]])
    away, places = nearest(np.array([[9.0, 0.0], [1.0, 3.0], [-1.0, 0.0], [0.0, 0.0]]), known)
    np.testing.assert_array_equal(places[:2], [2, 1 - 1])
    np.testing.assert_allclose(away, [0, 1 - 3 / np.sqrt(10), 1, 1], atol=1e-12)


def test_shapes_must_fit():
    with pytest.raises(ValueError, match="of one length"):
        nearest(np.zeros((2, 3)), np.zeros((2, 2)))
