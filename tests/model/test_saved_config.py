"""Networks and optimizers in configurations: there and made again; the model's own round trips are
tested with it."""

import types

import keras

from cyclegan_tf.model.saved_config import deserialized, serialized


def test_parts_are_made_again_and_none_stays_none():
    model = types.SimpleNamespace(first=keras.optimizers.SGD(0.25), second=None)
    config = {**serialized(model, ["first", "second"]), "jit_compile": True}
    found = deserialized(config, ["first", "second"])
    assert type(found["first"]) is keras.optimizers.SGD
    assert float(found["first"].learning_rate) == 0.25
    assert (found["second"], found["jit_compile"]) == (None, True)
    assert isinstance(config["first"], dict), "the given one is not changed"


def test_former_names_are_read():
    old = {"adversarial": "lsgan", "weights": {"cycle_x": 1.0}, "recompute": True, "seed": 3}
    assert deserialized(old, []) == {
        "gan_mode": "lsgan",
        "loss_weights": {"cycle_x": 1.0},
        "gradient_checkpointing": True,
        "seed": 3,
    }
