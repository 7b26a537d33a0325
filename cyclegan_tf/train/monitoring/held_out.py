"""The losses of a training on images it never sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from cyclegan_tf.assembly.training_data import TrainingData
from cyclegan_tf.data.pipeline import evaluation_pairs
from cyclegan_tf.evaluate.split import pairs_by_stem
from cyclegan_tf.model.cyclegan import CycleGAN


def held_out_losses(
    model: CycleGAN, test: Callable[[Any], Mapping[str, Any]], data: TrainingData, count: int
) -> dict[str, float]:
    """Measures the losses of unaugmented test images; the running training means stay.

    Args:
      model: whose random states stay, too.
      test: its `test_step`, as a graph.
      data: with test images of both domains.
      count: at most so many images of each domain.

    Returns:
      Means by name. Empty where the model is trained on pairs and the test split has none of equal
      size: its losses are of partners.
    """
    trackers = model.metric_trackers
    kept = {name: [v.numpy() for v in tracker.variables] for name, tracker in trackers.items()}
    random_state = tf.identity(model.penalty_seed.state.value)
    for tracker in trackers.values():
        tracker.reset_state()
    results: Mapping[str, Any] = {}
    source, partners = data.source, None
    if model.uses_pairs:
        partners = pairs_by_stem(source.test_x.names, source.test_y.names)
    for pair in evaluation_pairs(source.test_x, source.test_y, data.transform, count, partners):
        if partners is None or pair[0].shape[1:3] == pair[1].shape[1:3]:
            results = test(pair)
    found = {name: float(results[name]) for name in results if name in trackers}
    for name, values in kept.items():
        for variable, value in zip(trackers[name].variables, values, strict=True):
            variable.assign(value)
    model.penalty_seed.state.assign(random_state)
    return found
