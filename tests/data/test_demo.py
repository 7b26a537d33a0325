"""The demo data set: a function of (seed, split, domain, index) and nothing else."""

import numpy as np
import pytest

from cyclegan_tf.data import demo
from cyclegan_tf.data import demo_scenes as scenes

SIZE_PX = 48


def scene(stream, index, seed=0):
    return demo._scene(stream, index, seed)


def test_images_depend_on_nothing_but_their_address():
    before = demo.train_image("x", 7, SIZE_PX), demo.test_pair(7, SIZE_PX)
    np.random.default_rng().random(5)
    demo.train_image("y", 3, SIZE_PX)
    after = demo.train_image("x", 7, SIZE_PX), demo.test_pair(7, SIZE_PX)
    assert np.array_equal(before[0], after[0])
    assert all(np.array_equal(one, two) for one, two in zip(before[1], after[1], strict=True))


def test_every_image_of_the_data_set_is_another_scene():
    train = [scene(stream, index) for stream in ("x", "y") for index in range(demo.TRAIN_IMAGES)]
    test = [scene("test", index) for index in range(demo.TEST_IMAGES)]
    other_seed = [scene("x", index, seed=1) for index in range(50)]
    everything = train + test + other_seed
    assert len(set(everything)) == len(
        everything
    )  # so X and Y of the training split share no scene


def test_both_training_halves_are_drawn_alike():
    for read in (
        lambda one: one.horizon,
        lambda one: len(one.animals),
        lambda one: one.animals[-1].coat,
    ):
        means = [
            np.mean([read(scene(stream, index)) for index in range(demo.TRAIN_IMAGES)])
            for stream in "xy"
        ]
        assert means[0] == pytest.approx(means[1], rel=0.12)


def test_train_images_show_their_domain():
    for index in range(4):
        x, y = (demo.train_image(domain, index, SIZE_PX) for domain in ("x", "y"))
        assert x.dtype == y.dtype == np.uint8
        assert x.shape == y.shape == (SIZE_PX, SIZE_PX, 3)
        sky_x, sky_y = x[0].mean(0), y[0].mean(0)
        assert sky_x[2] > sky_x[0]  # blue in summer
        assert sky_y[0] > sky_y[2]  # warm in autumn
        assert np.array_equal(y, scenes.render(scene("y", index), "y", SIZE_PX))


def test_a_test_pair_is_one_scene_in_both_worlds():
    x, y, mask = demo.test_pair(2, SIZE_PX)
    truth = scene("test", 2)
    assert np.array_equal(x, scenes.render(truth, "x", SIZE_PX))
    assert np.array_equal(y, scenes.render(truth, "y", SIZE_PX))
    assert np.array_equal(mask, scenes.object_mask(truth, SIZE_PX))
    assert mask.any()
    assert np.array_equal(demo.test_image("y", 2, SIZE_PX), y)


def test_seeds_change_everything():
    assert not np.array_equal(
        demo.train_image("x", 0, SIZE_PX), demo.train_image("x", 0, SIZE_PX, seed=1)
    )
    assert not np.array_equal(demo.test_pair(0, SIZE_PX)[0], demo.test_pair(0, SIZE_PX, seed=1)[0])


def test_wrong_addresses_are_refused():
    with pytest.raises(ValueError, match="domain"):
        demo.train_image("z", 0, SIZE_PX)
    with pytest.raises(ValueError, match="domain"):
        demo.train_image("test", 0, SIZE_PX)
    with pytest.raises(ValueError, match="index -1"):
        demo.train_image("x", -1, SIZE_PX)
    with pytest.raises(ValueError, match="seed -1"):
        demo.test_pair(0, SIZE_PX, seed=-1)
