"""Whole transfers with a tiny network: what moves, what stays, sizes, collections, seeds."""

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.features.vgg import build_vgg
from cyclegan_tf.images import io as image_io
from cyclegan_tf.stylize.losses import LAYERS
from cyclegan_tf.stylize.transfer import Settings, StyleTransfer
from tests.helpers import image_files, tiny_vgg
from tests.helpers.errors import refused


@pytest.fixture(scope="module")
def network():
    return build_vgg(tiny_vgg.convolutions(), LAYERS, (104, 117, 123), "average")


OBJECTIVES: dict = {}


@pytest.fixture(autouse=True)
def _one_graph(monkeypatch):
    tiny_vgg.share_objectives(monkeypatch, OBJECTIVES)


@pytest.fixture
def styles(tmp_path):
    """Two images of different sizes."""
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for seed, path in enumerate(paths):
        pixels = image_files.smooth(30 + 9 * seed, 41)
        image_io.save(path, np.ascontiguousarray(pixels[..., ::-1] if seed else 255 - pixels))
    return paths


CONTENT = image_files.smooth(37, 50)


def test_the_style_comes_nearer_and_the_size_stays(network, styles):
    losses = []
    transfer = StyleTransfer(network, styles, Settings(steps=8, octaves=3))
    found = transfer(CONTENT, losses.append)
    assert (found.shape, found.dtype) == (CONTENT.shape, np.uint8)
    assert transfer.sizes(37, 50) == [(9, 12), (18, 25), (37, 50)]
    assert len(losses) == 24
    assert losses[7] < losses[0]
    assert losses[-1] < losses[16]
    assert np.abs(found.astype(int) - CONTENT).max() > 5


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_an_image_in_its_own_style_stays_as_it_is(network, tmp_path, optimizer):
    if optimizer == "lbfgs":
        pytest.importorskip("scipy")
    image_io.save(tmp_path / "own.png", CONTENT)
    settings = Settings(steps=5, octaves=2, optimizer=optimizer)
    losses = []
    found = StyleTransfer(network, [tmp_path / "own.png"], settings)(CONTENT, losses.append)
    np.testing.assert_array_equal(found, CONTENT)
    assert max(losses) < 1e-9


def test_16_bits_and_another_size(network, styles):
    deep = CONTENT.astype(np.uint16) * 257
    found = StyleTransfer(network, styles, Settings(steps=1, size_px=20))(deep)
    assert (found.shape, found.dtype) == ((15, 20, 3), np.uint16)


def test_noise_has_a_seed(network, styles):
    def found(seed):
        settings = Settings(steps=2, octaves=1, init="noise", seed=seed)
        return StyleTransfer(network, styles[:1], settings)(CONTENT)

    first = found(1)
    np.testing.assert_array_equal(first, found(1))
    assert np.abs(first.astype(int) - found(2)).mean() > 20


def test_a_style_is_looked_at_once_for_each_size(network, styles):
    seen = []

    def progress(paths):
        seen.append(len(paths))
        return paths

    transfer = StyleTransfer(network, styles, Settings(steps=1, octaves=2), progress)
    transfer(CONTENT)
    transfer(255 - CONTENT)
    assert seen == [2, 2]


def test_style_images_that_cannot_be_read_are_left_out(network, styles, caplog):
    broken = styles[0].with_name("broken.png")
    broken.write_bytes(b"none")
    settings = Settings(steps=2, octaves=2)
    found = StyleTransfer(network, [styles[0], broken], settings)(CONTENT)
    np.testing.assert_array_equal(found, StyleTransfer(network, styles[:1], settings)(CONTENT))
    (said,) = [record.message for record in caplog.records if "left out" in record.message]
    assert str(broken) in said
    with refused("unreadable", broken):
        StyleTransfer(network, [broken], settings)(CONTENT)


def test_an_image_that_does_not_fit_the_memory_is_one_sentence(network, styles, monkeypatch):
    transfer = StyleTransfer(network, styles, Settings(steps=1, size_px=44))

    def full(*images):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

    monkeypatch.setattr(transfer._objective, "activations", full)
    height, width = transfer.sizes(*CONTENT.shape[:2])[-1]
    assert max(height, width) == 44
    with refused("memory", "--size", match=f"{width} x {height} px does not fit"):
        transfer(CONTENT)
