"""One scene, two worlds: same geometry, one-to-one colors, stripes in Y only."""

import numpy as np
import pytest

from cyclegan_tf.data import demo_scenes as scenes

SIZE_PX = 96


def scene_of(number):
    return scenes.draw_scene_parameters(np.random.default_rng(number))


@pytest.mark.parametrize("world", ["x", "y"])
@pytest.mark.parametrize("size_px", [1, 33, 64])
def test_images_are_square_rgb_bytes(world, size_px):
    image = scenes.render(scene_of(1), world, size_px)
    assert image.dtype == np.uint8
    assert image.shape == (size_px, size_px, 3)
    assert image.flags.c_contiguous


def test_the_same_generator_state_gives_the_same_bytes():
    assert scene_of(5) == scene_of(5)
    assert np.array_equal(
        scenes.render(scene_of(5), "y", SIZE_PX), scenes.render(scene_of(5), "y", SIZE_PX)
    )
    assert scene_of(5) != scene_of(6)


@pytest.mark.parametrize("number", range(12))
def test_animals_fill_a_fair_share_and_fit_the_image(number):
    scene = scene_of(number)
    mask = scenes.object_mask(scene, SIZE_PX)
    assert mask.dtype == bool
    assert mask.shape == (SIZE_PX, SIZE_PX)
    assert 0.05 < mask.mean() < 0.6
    columns = np.flatnonzero(mask.any(0))
    assert columns[-1] - columns[0] > 0.4 * SIZE_PX
    assert not mask[0].any()  # neither the ears nor the hooves are cut off
    assert not mask[-1].any()


@pytest.mark.parametrize("world", ["x", "y"])
def test_a_scene_looks_the_same_at_every_size(world):
    scene = scene_of(3)
    big = scenes.render(scene, world, 256).astype(float)
    for size_px in (128, 64):
        step = 256 // size_px
        reduced = big.reshape(size_px, step, size_px, step, 3).mean((1, 3))
        assert np.abs(reduced - scenes.render(scene, world, size_px)).mean() < 2.5
    halves = scenes.object_mask(scene, 256).reshape(128, 2, 128, 2).mean((1, 3)) > 0.5
    assert (halves != scenes.object_mask(scene, 128)).mean() < 0.01


@pytest.mark.parametrize(("world", "size_px"), [("z", 64), ("x", 0)])
def test_impossible_wishes_are_refused(world, size_px):
    with pytest.raises(ValueError, match="at least 1"):
        scenes.render(scene_of(0), world, size_px)
