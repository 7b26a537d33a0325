"""Names, order and shapes of state_dicts, against PyTorch networks that make their own."""

import dataclasses

import numpy as np
import pytest

from cyclegan_tf.convert.pytorch.layout import (
    UNETS,
    ArchitectureSpec,
    keras_weights,
    mismatches,
    shapes,
    slots,
    state_dict,
)

pytest.importorskip("torch", reason='needs pip install ".[torch]"')
from tests.helpers import official_torch


def spec(architecture="resnet_9blocks", **changes):
    plain = ArchitectureSpec(
        architecture=architecture, input_channels=3, output_channels=3, filters=4, blocks=2,
        n_layers=None,
        dropout=False, norm="instance", norm_affine=False, biases=True, statistics=False,
    )  # fmt: skip
    return dataclasses.replace(plain, **changes)


BATCH = {"norm": "batch", "biases": False, "statistics": True}
UNET = {"blocks": None, "dropout": None}
DISCRIMINATOR = {"blocks": None, "dropout": None, "output_channels": 1}
CASES = {
    "resnet": (spec(), lambda: official_torch.Resnet()),
    "resnet_dropout": (
        spec(dropout=True, blocks=3),
        lambda: official_torch.Resnet(dropout=True, blocks=3),
    ),
    "resnet_channels": (
        spec(input_channels=1, output_channels=2, filters=3),
        lambda: official_torch.Resnet(inputs=1, outputs=2, filters=3),
    ),
    "resnet_affine": (spec(norm_affine=True), lambda: official_torch.Resnet(affine=True)),
    "resnet_old": (spec(statistics=True), lambda: official_torch.Resnet(statistics=True)),
    "resnet_batch": (spec(**BATCH), lambda: official_torch.Resnet(norm="batch")),
    "cut": (
        spec(antialiased=True, blocks=3),
        lambda: official_torch.Resnet(antialiased=True, blocks=3),
    ),
    "unet_128": (spec("unet_128", filters=2, **UNET), lambda: official_torch.Unet(7)),
    "unet_256": (
        spec("unet_256", filters=2, **UNET),
        lambda: official_torch.Unet(8, dropout=True),
    ),
    "unet_batch": (
        spec("unet_128", filters=2, **UNET, **BATCH),
        lambda: official_torch.Unet(7, norm="batch"),
    ),
    "unet_channels": (
        spec("unet_128", filters=2, **UNET, input_channels=1, output_channels=4),
        lambda: official_torch.Unet(7, inputs=1, outputs=4),
    ),
    "basic": (spec("patch", n_layers=3, **DISCRIMINATOR), lambda: official_torch.Patch()),
    "one_layer": (
        spec("patch", n_layers=1, **DISCRIMINATOR),
        lambda: official_torch.Patch(n_layers=1),
    ),
    "five_layers": (
        spec("patch", n_layers=5, **DISCRIMINATOR, **BATCH),
        lambda: official_torch.Patch(n_layers=5, norm="batch"),
    ),
    "pixel": (spec("pixel", **DISCRIMINATOR), lambda: official_torch.Pixel()),
    "pixel_batch": (
        spec("pixel", **DISCRIMINATOR, **BATCH),
        lambda: official_torch.Pixel(norm="batch"),
    ),
}


@pytest.fixture(params=CASES, name="case")
def _case(request):
    made, build = CASES[request.param]
    return made, official_torch.arrays_of(official_torch.randomized(build()))


def test_names_order_and_shapes_are_those_that_pytorch_makes(case):
    made, arrays = case
    assert list(shapes(made).items()) == [(name, array.shape) for name, array in arrays.items()]
    assert mismatches(made, arrays) == []


def test_both_directions_are_the_same_to_the_last_bit(case):
    made, arrays = case
    weights = keras_weights(made, arrays)
    # leftovers are not taken along; counters start anew
    kept = made if made.norm == "batch" else dataclasses.replace(made, statistics=False)
    again = state_dict(kept, weights)
    assert list(again) == list(shapes(kept))
    for name, array in again.items():
        if name.endswith("num_batches_tracked"):
            assert (array.dtype, array.shape, int(array)) == (np.int64, (), 0)
        else:
            np.testing.assert_array_equal(array, arrays[name], err_msg=name)


def test_every_layer_has_one_place(case):
    made, _ = case
    found = slots(made)
    assert (
        len({slot.layer for slot in found}) == len({slot.official for slot in found}) == len(found)
    )


def test_kernels_turn_from_pytorchs_axes_to_those_of_keras():
    arrays = {name: np.zeros(shape, np.float32) for name, shape in shapes(spec()).items()}
    arrays["model.4.weight"][7, 2, 1, 0] = 1  # output 7, input 2, row 1, column 0
    arrays["model.12.weight"][15, 6, 1, 2] = 1  # transposed: input 15, output 6, row 1, column 2
    weights = keras_weights(spec(), arrays)
    assert weights["down1/kernel"].shape == (3, 3, 4, 8)
    assert weights["down1/kernel"][1, 0, 2, 7] == 1
    assert weights["up1/kernel"].shape == (3, 3, 8, 16)  # Keras has outputs before inputs here
    assert weights["up1/kernel"][1, 2, 6, 15] == 1


def test_biases_that_are_not_there_are_zero():
    bare = spec(biases=False)
    arrays = {name: np.ones(shape, np.float32) for name, shape in shapes(bare).items()}
    assert "model.1.bias" not in arrays
    weights = keras_weights(bare, arrays)
    assert not weights["first/bias"].any()
    assert weights["last/bias"].all()


def test_counters_may_be_missing_but_nothing_else():
    made = spec(**BATCH)
    arrays = {name: np.ones(shape, np.float32) for name, shape in shapes(made).items()}
    older = {
        name: array for name, array in arrays.items() if not name.endswith("num_batches_tracked")
    }
    assert len(older) < len(arrays)
    assert mismatches(made, older) == []
    for name in older:
        assert mismatches(made, {key: array for key, array in older.items() if key != name}) == [
            f"{name} {shapes(made)[name]} is missing"
        ]


def test_mismatches_are_in_order():
    arrays = {name: np.ones(shape, np.float32) for name, shape in shapes(spec()).items()}
    arrays["model.4.bias"] = np.ones(9)
    arrays["extra"] = np.ones((1, 2))
    del arrays["model.1.weight"]
    assert mismatches(spec(), arrays) == [
        "model.1.weight (4, 3, 7, 7) is missing",
        "model.4.bias is (9,) instead of (8,)",
        "extra (1, 2) is unknown",
    ]


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (spec(blocks=9), "resnet_9blocks"),
        (spec("resnet_6blocks", blocks=6), "resnet_6blocks"),
        (spec(blocks=4), "resnet"),
        (spec("unet_256", **UNET), "unet_256"),
        (spec("patch", n_layers=3, **DISCRIMINATOR), "basic"),
        (spec("patch", n_layers=2, **DISCRIMINATOR), "n_layers"),
        (spec("pixel", **DISCRIMINATOR), "pixel"),
    ],
)
def test_the_official_names(made, name):
    assert made.official_name == name
    assert made.is_generator == name.startswith(("resnet", "unet"))


def test_unets_are_named_after_the_side_that_becomes_one_pixel():
    assert {name: 2**depth for depth, name in UNETS.items()} == {"unet_256": 256, "unet_128": 128}
