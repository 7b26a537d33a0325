"""Losses of the test split: of partners where there are pairs, and the training's means stay."""

import types

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.data.image_lists import ImageList
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.train.monitoring.held_out import held_out_losses


def images(names, size=8):
    levels = np.arange(len(names), dtype=np.uint8)
    return ImageList(
        tuple(names), 3, lambda index: np.full((size, size, 3), 10 * levels[index], np.uint8)
    )


class Tracker:
    def __init__(self):
        self.variables = [tf.Variable(3.0), tf.Variable(2.0)]

    def reset_state(self):
        for variable in self.variables:
            variable.assign(0.0)


def measured(test_x, test_y, uses_pairs, count=9):
    model = types.SimpleNamespace(
        metric_trackers={"paired_y": Tracker()},
        penalty_seed=types.SimpleNamespace(state=types.SimpleNamespace(value=tf.Variable([1, 2]))),
        uses_pairs=uses_pairs,
    )
    model.penalty_seed.state.assign = model.penalty_seed.state.value.assign
    seen = []

    def test(batch):
        seen.append(tuple(round((float(i[0, 0, 0, 0]) + 1) * 12.75) for i in batch))
        model.penalty_seed.state.value.assign_add([1, 1])
        model.metric_trackers["paired_y"].variables[0].assign_add(1.0)
        return {"paired_y": model.metric_trackers["paired_y"].variables[0], "loss": 5.0}

    source = types.SimpleNamespace(test_x=test_x, test_y=test_y)
    data = types.SimpleNamespace(source=source, transform=ImageTransform("none", 8, 8))
    found = held_out_losses(model, test, data, count)
    assert model.metric_trackers["paired_y"].variables[0].numpy() == 3.0
    assert model.penalty_seed.state.value.numpy().tolist() == [1, 2]
    return found, seen


X = images(["testA/a.png", "testA/b.png"])


@pytest.mark.parametrize(
    ("names_y", "size", "uses_pairs", "expected"),
    [
        (["testB/b.png", "testB/c.png", "testB/a.png"], 8, False, [(0, 0), (1, 1), (0, 2)]),
        (["testB/b.png", "testB/c.png", "testB/a.png"], 8, True, [(0, 2), (1, 0)]),
        (["testB/c.png"], 8, True, []),
        (["testB/b.png", "testB/a.png"], 12, True, []),
    ],
)
def test_partners_are_measured_where_they_matter(names_y, size, uses_pairs, expected):
    found, seen = measured(X, images(names_y, size), uses_pairs)
    assert seen == expected
    assert found == ({"paired_y": len(expected)} if expected else {})


def test_at_most_so_many():
    assert len(measured(X, images(["testB/a.png", "testB/b.png"]), True, count=1)[1]) == 1
