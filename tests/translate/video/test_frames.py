"""Frames in order: alone as images, or with statistics that follow; cuts between scenes."""

import keras
import numpy as np
import pytest

from cyclegan_tf.networks import builders as networks
from cyclegan_tf.networks.layers import InstanceNormalization
from cyclegan_tf.translate.translator import Translator
from cyclegan_tf.translate.video.frames import (
    CUT_DIFFERENCE,
    HALF_LIFE_FRAMES,
    FrameTranslator,
    SceneCuts,
)
from tests.helpers.image_files import noise


def generator(**options):
    """Small, and with weights large enough that its images have contrast."""
    network = networks.build_generator(
        "resnet_6blocks",
        filters=4,
        blocks=2,
        seed=3,
        norm_affine=True,
        dtype_policy="float32",
        **options,
    )
    for variable in network.trainable_variables:
        if variable.ndim == 4:
            variable.assign(variable * 8)
    return network


def normalization():
    """A network that is one normalization, whose numbers can be followed by hand."""
    inputs = keras.Input((None, None, 3), name="input")
    return keras.Model(inputs, InstanceNormalization(epsilon=1e-5)(inputs))


def pixels(low, high):
    """A frame of stripes: half its columns are `low`, half `high`."""
    frame = np.full((16, 16, 3), low, np.uint8)
    frame[:, ::2] = high
    return frame


def close(frame, other, most):
    return np.abs(frame.astype(int) - other.astype(int)).max() <= most


def test_half_life_0_is_each_frame_as_a_image():
    frames = [noise(17, 22, seed=seed) for seed in range(3)]
    network = generator()
    translate, alone = FrameTranslator(network, 4, 0), Translator(network, 4)
    for frame in frames:
        np.testing.assert_array_equal(translate(frame), alone(frame))


@pytest.mark.parametrize("half_life", [1, 8])
def test_the_first_frame_and_a_still_video_are_as_images(half_life):
    frame, network = noise(24, 20), generator()
    wanted = Translator(network, 4)(frame)
    translate = FrameTranslator(network, 4, half_life)
    assert all(close(translate(frame), wanted, 1) for _ in range(4))


def test_statistics_follow_with_the_half_life():
    before, after = pixels(100, 140), pixels(110, 170)  # means 120 and 140, deviations 20 and 30
    translate = FrameTranslator(normalization(), 1, 2.0)
    translate(before)
    mean, variance = 120.0, 400.0
    for _ in range(5):
        given = translate(after)
        rate = 1 - 0.5**0.5
        mean, variance = mean + rate * (140 - mean), variance + rate * (900 - variance)
        wanted = 127.5 + 127.5 * np.clip((after.astype(float) - mean) / np.sqrt(variance), -1, 1)
        assert np.abs(given - wanted).max() < 1
    assert abs(mean - 140) == pytest.approx(20 * 0.5**2.5)


def test_a_cut_begins_anew():
    dark, bright = pixels(20, 60), pixels(180, 240)
    translate = FrameTranslator(normalization(), 1, 50.0)
    for frame in (dark, dark, bright, bright, dark):
        assert close(translate(frame), Translator(normalization(), 1)(frame), 1)


def test_without_detection_the_scene_before_would_be_seen(monkeypatch):
    monkeypatch.setattr(SceneCuts, "__call__", lambda self, frame: False)
    translate = FrameTranslator(normalization(), 1, 50.0)
    translate._later_rate = 1.0
    translate(pixels(20, 60))
    translate._later_rate = 0.01
    assert not close(
        translate(pixels(180, 240)), Translator(normalization(), 1)(pixels(180, 240)), 20
    )


def test_the_given_network_is_left_alone():
    network = generator()
    before = [np.array(weight) for weight in network.get_weights()]
    image = noise(16, 16)
    alone = Translator(network, 4)(image)
    translate = FrameTranslator(network, 4, 4)
    for seed in range(3):
        translate(noise(16, 16, seed=seed))
    np.testing.assert_array_equal(Translator(network, 4)(image), alone)
    for weight, old in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


@pytest.mark.parametrize(
    "options", [{"norm": "batch", "norm_affine": False}, {"color_skip": True, "long_skips": True}]
)
def test_other_generators(options):
    network = networks.build_generator(
        "resnet_6blocks",
        filters=2,
        blocks=1,
        seed=1,
        **{"norm_affine": True, **options},
        dtype_policy="float32",
    )
    if options.get("color_skip"):
        network.get_layer("colour_skip").initialize(np.eye(3), np.zeros(3))
    frame = noise(18, 16)
    translate = FrameTranslator(network, 4, HALF_LIFE_FRAMES)
    assert close(translate(frame), Translator(network, 4)(frame), 1)
    assert translate(noise(18, 16, seed=2)).shape == frame.shape


def test_half_precision():
    network = networks.build_generator(
        "fast_style", filters=4, blocks=1, seed=1, norm_affine=True, dtype_policy="mixed_bfloat16"
    )
    frame = noise(20, 20)
    assert close(FrameTranslator(network, 4, 8)(frame), Translator(network, 4)(frame), 3)


def test_cuts_are_found_by_the_mean_of_small_areas():
    dark, bright = (
        np.full((40, 60, 3), 50, np.uint8),
        np.full((40, 60, 3), 50 + int(CUT_DIFFERENCE) + 1, np.uint8),
    )
    starts = SceneCuts()
    assert [starts(frame) for frame in (dark, dark, bright, bright, dark)] == [
        True,
        False,
        True,
        False,
        True,
    ]
    starts = SceneCuts()
    checks = np.indices((32, 32)).sum(0)[..., None] % 2 * np.full(3, 255)
    # Fine detail that moves is no cut, however much each pixel changes.
    assert [starts(frame.astype(np.uint8)) for frame in (checks, 255 - checks)] == [True, False]


@pytest.mark.parametrize("size", [(1, 1), (7, 90), (17, 16), (100, 33)])
def test_any_size_is_reduced_to_means_of_its_areas(size):
    starts = SceneCuts()
    starts(np.zeros((*size, 3), np.uint8))
    frame = noise(*size)
    starts(frame)
    reduced = starts._before
    rows, columns = (np.array_split(np.arange(length), min(16, length)) for length in size)
    assert reduced.shape == (len(rows), len(columns), 3)
    spread = [np.arange(min(16, n)) * n // min(16, n) for n in size]
    edges = [np.append(starts_, n) for starts_, n in zip(spread, size, strict=True)]
    i, j = len(rows) // 2, len(columns) - 1
    area = frame[edges[0][i] : edges[0][i + 1], edges[1][j] : edges[1][j + 1]]
    np.testing.assert_allclose(reduced[i, j], area.reshape(-1, 3).mean(0))
