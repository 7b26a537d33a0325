"""The distance of two images as equation 1 of Zhang et al. has it."""

import numpy as np
import pytest

from cyclegan_tf.features import perceptual
from tests.helpers import tiny_vgg


@pytest.fixture(scope="module")
def distance(tmp_path_factory):
    return perceptual.open_perceptual(tiny_vgg.save(tmp_path_factory.mktemp("vgg") / "a.npz"))


def test_by_hand():
    a, b = np.array([[3.0, 4.0]]), np.array([[0.0, 2.0]])
    zero = np.zeros((1, 2))
    both = np.stack([np.stack([a, zero]), np.stack([b, zero])]).astype(np.float32)  # (2, 2, 1, 2)
    # places: |(0.6, 0.8) - (0, 1)|^2 = 0.4, and 0; mean 0.2; two layers of the same
    assert float(perceptual.distance({"one": both, "two": both})) == pytest.approx(0.4, abs=1e-5)


def test_equal_images_and_more_noise(distance):
    rng = np.random.default_rng(0)
    image = rng.uniform(-0.5, 0.5, (20, 18, 3)).astype(np.float32)
    noise = rng.normal(size=image.shape).astype(np.float32)
    found = distance([(image, image), (image, image + 0.05 * noise), (image, image + 0.3 * noise)])
    assert found[0] == 0
    assert 0 < found[1] < found[2]
    gray = image[..., :1]
    assert distance([(gray, np.repeat(gray, 3, -1))]) == [0]


def test_all_layers_count(distance, tmp_path):
    import tensorflow as tf

    from cyclegan_tf.features.loading import load

    images = np.random.default_rng(1).integers(0, 256, (2, 17, 16, 3)).astype(np.uint8)
    network = load("vgg16_hed", perceptual.LAYERS, tiny_vgg.save(tmp_path / "a.npz"))
    activations = network(tf.constant(images / 127.5 - 1, tf.float32))
    total = 0.0
    for values in map(np.asarray, activations.values()):
        lengths = np.linalg.norm(values, axis=-1, keepdims=True)
        unit = np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0)
        total += np.mean(np.sum((unit[0] - unit[1]) ** 2, axis=-1))
    assert distance([tuple(images)]) == pytest.approx([total], rel=1e-4)
