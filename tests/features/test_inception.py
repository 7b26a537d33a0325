"""The real network with random weights from a file, its protocol, and what is said without a
network."""

import hashlib
import shutil
import socket
import urllib.error
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
from keras.src.utils import file_utils

from cyclegan_tf.features import inception
from cyclegan_tf.features.inception import InceptionUnavailable, open_inception
from tests.helpers.errors import refused


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(5)
    network = keras.applications.InceptionV3(
        include_top=False, weights=None, input_shape=(299, 299, 3), pooling="avg"
    )
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_variance.assign(layer.moving_variance * 0.5)
    return network


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    """A file in the layout of the one that Keras downloads."""
    path = tmp_path_factory.mktemp("inception") / "random.h5"
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, network)
    return path


@pytest.fixture(scope="module")
def extractor(weights):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        extractor = open_inception(weights)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")
    return extractor


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of Keras."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "keras").mkdir()
    return tmp_path / "keras" / "models"


def images(*shapes):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, shape).astype(np.uint8) for shape in shapes]


def test_features_are_those_of_the_network_of_keras(extractor, network, weights):
    given = images((64, 50, 3), (299, 299, 3), (20, 20, 3))
    resized = [tf.image.resize(image, (299, 299)).numpy() for image in given]
    inputs = keras.applications.inception_v3.preprocess_input(np.stack(resized))
    found = extractor.features(given, batch=2)
    assert found.shape == (3, 2048)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, network(inputs, training=False).numpy(), rtol=1e-3, atol=1e-4)
    assert np.abs(found[0] - found[1]).max() > 0.01
    assert extractor.weights_file == weights


def test_signed_images_are_rounded_to_bytes_and_clipped(extractor):
    (given,) = images((40, 30, 3))
    signed = given.astype(np.float64) * 2 / 255 - 1
    nearly = np.where(given == 255, 1.3, np.where(given == 0, -1.2, signed + 0.003))
    found = extractor.features(
        [given, signed.astype(np.float32), nearly, np.clip(signed + 0.02, -1, 1)]
    )
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)
    np.testing.assert_allclose(found[2], found[0], atol=1e-5)
    assert np.abs(found[3] - found[0]).max() > 1e-3


def test_gray_is_taken_three_times_and_no_images_give_no_features(extractor):
    (gray,) = images((40, 30, 1))
    found = extractor.features([gray, np.repeat(gray, 3, axis=-1)])
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)
    assert extractor.features([]).shape == (0, 2048)


@pytest.mark.parametrize(
    "image",
    [np.zeros((8, 8, 2), np.uint8), np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.uint16)],
)
def test_images_that_inception_does_not_take(extractor, image):
    with pytest.raises(ValueError, match="feature networks take"):
        extractor.features([image])


def test_a_wrong_file_is_one_sentence(tmp_path, monkeypatch, network):
    monkeypatch.setattr(
        keras.applications, "InceptionV3", lambda **options: network
    )  # building it takes seconds
    small = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    with h5py.File(tmp_path / "other.h5", "w") as file:
        save_weights_to_hdf5_group(file, small)
    (tmp_path / "text.h5").write_text("no HDF5")
    for name in ("other.h5", "text.h5"):
        with refused(
            "mismatch", "--inception", match="holds no weights of Keras's InceptionV3"
        ) as caught:
            open_inception(tmp_path / name)
        assert not isinstance(caught.value, InceptionUnavailable)
        assert (caught.value.code, caught.value.field) == ("mismatch", "--inception")
    with refused("missing", "--inception") as caught:
        open_inception(str(tmp_path / "none.h5"))
    assert (caught.value.code, caught.value.field) == ("missing", "--inception")


@pytest.mark.parametrize(
    "failure", [urllib.error.URLError("Name or service not known"), TimeoutError("timed out")]
)
def test_without_a_network_it_says_what_to_get_and_where_to_put_it(cache, monkeypatch, failure):
    def nothing(url, path, report):
        assert socket.getdefaulttimeout() == 20
        raise failure

    monkeypatch.setattr(file_utils, "urlretrieve", nothing)
    with refused("missing", "--inception", kind=InceptionUnavailable) as caught:
        open_inception("auto")
    said = str(caught.value)
    for wanted in (
        inception.WEIGHTS_URL,
        f"put {inception.WEIGHTS_FILE} into {cache}",
        "--inception PATH",
    ):
        assert wanted in said
    assert "\n" not in said
    assert socket.getdefaulttimeout() is None


def test_auto_downloads_once_into_the_cache_of_keras(cache, monkeypatch, weights, network):
    asked = []
    monkeypatch.setattr(
        keras.applications, "InceptionV3", lambda **options: network
    )  # building it takes seconds
    kernel = network.weights[0]
    before = kernel.numpy()
    kernel.assign(np.zeros_like(before))

    def copied(url, path, report):
        asked.append(url)
        shutil.copy(weights, path)

    monkeypatch.setattr(file_utils, "urlretrieve", copied)
    monkeypatch.setattr(inception, "WEIGHTS_MD5", hashlib.md5(weights.read_bytes()).hexdigest())
    assert open_inception("auto").weights_file == cache / inception.WEIGHTS_FILE
    np.testing.assert_array_equal(kernel.numpy(), before)
    open_inception()
    assert asked == [inception.WEIGHTS_URL]


def test_a_damaged_download_does_not_pass(cache, monkeypatch):
    monkeypatch.setattr(
        file_utils, "urlretrieve", lambda url, path, report: Path(path).write_bytes(b"half")
    )
    with refused("missing", "--inception", kind=InceptionUnavailable) as caught:
        open_inception("auto")
    assert (caught.value.code, caught.value.field) == ("missing", "--inception")


def test_url_and_checksum_are_those_of_the_keras_that_is_installed():
    module = keras.src.applications.inception_v3
    assert module.WEIGHTS_PATH_NO_TOP == inception.WEIGHTS_URL
    assert inception.WEIGHTS_MD5 in Path(module.__file__).read_text()
