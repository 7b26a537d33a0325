"""Animals: one body in both worlds, stripes in Y only."""

import dataclasses

import numpy as np
import pytest

from cyclegan_tf.data import demo_scenes as scenes
from cyclegan_tf.data.demo_animals import Animal

SIZE_PX = 96


def scene_of(number):
    return scenes.draw_scene_parameters(np.random.default_rng(number))


def lone_animal(**changes):
    """A scene with one upright animal that is large and in the middle."""
    animal = Animal(
        (0.48, 0.92), 0.3, 1, coat=0.3, girth=1.0, leg=1.0, neck=0.9, stride=0.2, horns=False
    )
    return dataclasses.replace(scene_of(0), animals=(dataclasses.replace(animal, **changes),))


def inside(scene, world, size_px=SIZE_PX):
    return scenes.render(scene, world, size_px)[scenes.object_mask(scene, size_px)].astype(float)


def grown(mask):
    """The mask and every pixel beside it."""
    return (
        mask
        | np.roll(mask, 1, 0)
        | np.roll(mask, -1, 0)
        | np.roll(mask, 1, 1)
        | np.roll(mask, -1, 1)
    )


@pytest.mark.parametrize("world", ["x", "y"])
def test_a_coat_shows_all_over_the_animal_and_nowhere_else_in_either_world(world):
    scene = lone_animal()
    dyed = dataclasses.replace(scene, animals=(dataclasses.replace(scene.animals[0], coat=0.9),))
    mask = scenes.object_mask(scene, SIZE_PX)
    images = [scenes.render(each, world, SIZE_PX).astype(int) for each in (scene, dyed)]
    changed = np.abs(images[0] - images[1]).max(-1) > 3
    assert changed[mask].mean() > 0.97
    assert not changed[~grown(mask)].any()


def test_coats_are_striped_in_y_and_plain_in_x():
    plain, striped = inside(lone_animal(), "x"), inside(lone_animal(), "y")
    assert striped.mean(-1).std() > 2.5 * plain.mean(-1).std()
    # Stripes run along the back: going down the trunk, the brightness swings widely in Y and hardly
    # in X.
    column = int(0.48 * SIZE_PX)
    mask = scenes.object_mask(lone_animal(), SIZE_PX)[:, column]
    swings = {}
    for world in ("x", "y"):
        down = scenes.render(lone_animal(), world, SIZE_PX)[:, column][mask].astype(float).mean(-1)
        swings[world] = np.count_nonzero(
            np.abs(np.diff(np.sign(down - np.median([down.min(), down.max()]))))
        )
        if world == "y":
            assert np.ptp(down) > 100
        else:
            assert np.ptp(down) < 60
    assert swings["y"] >= 3


def test_stripes_follow_the_body_wherever_it_stands():
    here, there = lone_animal(), lone_animal(foot=(0.48 + 4 / SIZE_PX, 0.92 - 3 / SIZE_PX))
    mask = scenes.object_mask(here, SIZE_PX)
    assert np.array_equal(scenes.object_mask(there, SIZE_PX), np.roll(mask, (-3, 4), (0, 1)))
    inner = ~grown(~mask)
    back = np.roll(scenes.render(there, "y", SIZE_PX), (3, -4), (0, 1)).astype(int)
    assert np.abs(back - scenes.render(here, "y", SIZE_PX))[inner].mean() < 1.0


def test_a_mirrored_animal_has_mirrored_stripes():
    right, left = lone_animal(foot=(0.5, 0.9)), lone_animal(foot=(0.5, 0.9), facing=-1)
    mask = scenes.object_mask(right, SIZE_PX)
    assert np.array_equal(scenes.object_mask(left, SIZE_PX), mask[:, ::-1])
    mirrored = scenes.render(left, "y", SIZE_PX)[:, ::-1].astype(int)
    # Not equal: the light falls from the left on both.
    assert np.abs(mirrored - scenes.render(right, "y", SIZE_PX))[mask].mean() < 15


def test_different_coats_differ_in_both_worlds():
    coats = [0.0, 0.25, 0.5, 0.75, 1.0]
    for world in ("x", "y"):
        means = [inside(lone_animal(coat=coat), world).mean() for coat in coats]
        assert np.all(np.diff(means) > 4), means


def test_translating_an_animal_is_a_large_change_of_its_mean_color():
    for number in range(6):
        means = [inside(scene_of(number), world).mean(0) for world in ("x", "y")]
        assert np.linalg.norm(means[0] - means[1]) > 70


def test_the_mask_covers_exactly_what_an_animal_changes():
    with_animal = lone_animal()
    empty = dataclasses.replace(with_animal, animals=())
    mask = scenes.object_mask(with_animal, SIZE_PX)
    assert not scenes.object_mask(empty, SIZE_PX).any()
    moved = (
        np.abs(
            scenes.render(with_animal, "x", SIZE_PX).astype(int)
            - scenes.render(empty, "x", SIZE_PX)
        ).max(-1)
        > 12
    )
    assert moved[mask].mean() > 0.97
    above_shadow = np.arange(SIZE_PX)[:, None] < 0.86 * SIZE_PX
    assert not moved[above_shadow & ~grown(mask)].any()
