"""Which network a state_dict belongs to; what does not fit is named, and nothing is guessed."""

import numpy as np
import pytest

from cyclegan_tf.convert.pytorch.recognize import (
    conversion_notes,
    count_parameters,
    describe,
    notes_for_official_code,
    official_options,
    recognize,
)

pytest.importorskip("torch", reason='needs pip install ".[torch]"')
from tests.helpers import official_torch as official
from tests.helpers.errors import refused


def arrays(network):
    return official.arrays_of(network)


@pytest.mark.parametrize(
    ("build", "description"),
    [
        (
            lambda: official.Resnet(),
            "resnet, 4 filters, 2 blocks, 3 -> 3 channels, instance norm, no dropout",
        ),
        (
            lambda: official.Resnet(filters=2, blocks=9, dropout=True),
            "resnet_9blocks, 2 filters, 9 blocks, 3 -> 3 channels, instance norm, dropout",
        ),
        (
            lambda: official.Resnet(1, 4, filters=2, blocks=6, norm="batch"),
            "resnet_6blocks, 2 filters, 6 blocks, 1 -> 4 channels, batch norm, no dropout",
        ),
        (
            lambda: official.Resnet(affine=True, dropout=True),
            "resnet, 4 filters, 2 blocks, 3 -> 3 channels, instance norm with factor and offset, "
            "dropout",
        ),
        (
            lambda: official.Resnet(affine=True),
            "resnet, 4 filters, 2 blocks, 3 -> 3 channels, instance norm with factor and offset, "
            "no dropout",
        ),
        (
            lambda: official.Resnet(statistics=True),
            "resnet, 4 filters, 2 blocks, 3 -> 3 channels, instance norm, no dropout",
        ),
        (
            lambda: official.Resnet(affine=True, statistics=True),
            "resnet, 4 filters, 2 blocks, 3 -> 3 channels, instance norm with factor and offset, "
            "no dropout",
        ),
        (
            lambda: official.Unet(8, dropout=True),
            "unet_256, 2 filters, 3 -> 3 channels, instance norm",
        ),
        (lambda: official.Unet(7, 1, 2), "unet_128, 2 filters, 1 -> 2 channels, instance norm"),
        (
            lambda: official.Unet(7, norm="batch"),
            "unet_128, 2 filters, 3 -> 3 channels, batch norm",
        ),
        (
            lambda: official.Resnet(antialiased=True, blocks=4),
            "resnet, 4 filters, 4 blocks, 3 -> 3 channels, instance norm, no dropout, "
            "anti-aliased as CUT's",
        ),
        (lambda: official.Patch(), "basic, 4 filters, 3 layers, 3 -> 1 channels, instance norm"),
        (
            lambda: official.Patch(1, 5, 1),
            "n_layers, 5 filters, 1 layers, 1 -> 1 channels, instance norm",
        ),
        (
            lambda: official.Patch(n_layers=6, norm="batch"),
            "n_layers, 4 filters, 6 layers, 3 -> 1 channels, batch norm",
        ),
        (lambda: official.Pixel(2), "pixel, 4 filters, 2 -> 1 channels, instance norm"),
        (lambda: official.Pixel(norm="batch"), "pixel, 4 filters, 3 -> 1 channels, batch norm"),
    ],
)
def test_every_kind_is_recognized(build, description):
    spec = recognize(arrays(build()), "n.pth")
    assert describe(spec) == description


def test_odd_numbers_of_blocks_are_the_nine_blocks_with_another_number():
    spec = recognize(arrays(official.Resnet(blocks=3)), "n.pth")
    assert (spec.architecture, spec.blocks, spec.filters) == ("resnet_9blocks", 3, 4)
    spec = recognize(arrays(official.Resnet(blocks=6)), "n.pth")
    assert (spec.architecture, spec.blocks) == ("resnet_6blocks", 6)


def test_parameters_are_counted_as_pytorch_counts_them():
    for network in (
        official.Resnet(norm="batch"),
        official.Resnet(statistics=True, affine=True),
        official.Resnet(antialiased=True),
        official.Pixel(),
    ):
        expected = sum(parameter.numel() for parameter in network.parameters())
        assert count_parameters(arrays(network)) == expected


def test_what_a_person_should_know():
    def notes_of(network, **options):
        return " | ".join(conversion_notes(recognize(arrays(network), "n.pth", **options)))

    assert notes_of(official.Resnet()) == ""
    assert "running statistics of instance normalization" in notes_of(
        official.Resnet(statistics=True)
    )
    assert "as PyTorch does after eval()" in notes_of(official.Resnet(norm="batch"))
    assert "dropout acts in training only" in notes_of(official.Resnet(dropout=True))
    assert "do not tell whether it was trained with dropout" in notes_of(official.Unet(7))
    assert "dropout" not in notes_of(official.Patch())
    assert "since batch normalization goes without biases" in notes_of(
        official.Resnet(affine=True, statistics=True)
    )


def without(state, *ends):
    return {name: array for name, array in state.items() if not name.endswith(ends)}


def biases_before_norms(state):
    """Names of the biases that the official PyTorch code leaves out under batch normalization."""
    without_biases = arrays(official.Resnet(norm="batch"))
    return [name for name in state if name not in without_biases]


def test_networks_without_biases_and_norms_are_not_guessed_at():
    state = arrays(official.Resnet())
    bare = without(state, *biases_before_norms(state))
    assert 0 < len(bare) < len(state)
    with refused(
        "unsupported",
        "--norm",
        match=r"that is --norm none, which is not supported, .* give --norm instance",
    ):
        recognize(bare, "n.pth")
    spec = recognize(bare, "n.pth", "instance")
    assert (spec.norm, spec.norm_affine, spec.biases, spec.statistics) == (
        "instance",
        False,
        False,
        False,
    )
    assert "these are 0" in " ".join(conversion_notes(spec))


def test_the_norm_may_be_given_where_it_is_open_and_only_there():
    batch = arrays(official.Resnet(norm="batch"))
    assert recognize(batch, "n.pth", "batch") == recognize(batch, "n.pth")
    spec = recognize(batch, "n.pth", "instance")  # of an early version, without biases
    assert (spec.norm, spec.norm_affine, spec.biases, spec.statistics) == (
        "instance",
        True,
        False,
        True,
    )
    for network in (official.Resnet(), official.Resnet(affine=True, statistics=True)):
        with refused("mismatch", "--norm", match=r"n.pth cannot be of batch normalization"):
            recognize(arrays(network), "n.pth", "batch")
    older = without(batch, "num_batches_tracked")
    assert recognize(older, "n.pth") == recognize(batch, "n.pth")


def changed(build, **changes):
    state = arrays(build())
    for name, array in changes.items():
        if array is None:
            del state[name]
        else:
            state[name] = array
    return state


def of_cut(**changes):
    return changed(lambda: official.Resnet(antialiased=True), **changes)


def other_filter():
    return np.full((8, 1, 3, 3), 1 / 9, np.float32)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (
            lambda: of_cut(**{"model.7.filt": other_filter()}),
            r"does not fit: model\.7\.filt is another filter than \[1, 2, 1\]",
        ),
        (
            lambda: of_cut(**{"model.7.filt": None, "model.11.filt": None}),
            "CUT's anti-aliasing filters for doubling only",
        ),
        (
            lambda: of_cut(**{"model.14.filt": None, "model.18.filt": None}),
            "CUT's anti-aliasing filters for halving only",
        ),
        (
            lambda: of_cut(**{"model.14.filt": None}),
            r"does not fit: model\.14\.filt \(16, 1, 3, 3\) is missing",
        ),
        (  # CUT's discriminator
            lambda: {"model.0.weight": np.ones((8, 3, 4, 4)), "model.2.filt": other_filter()},
            "n.pth has anti-aliasing filters, as CUT's networks do .*latest_net_G",
        ),
        (
            lambda: {"features.0.weight": np.ones((8, 3, 3, 3)), "features.0.bias": np.ones(8)},
            r"of no network of the official PyTorch code .*: "
            r"its first entries are features.0.weight \(8, "
            r"3, 3, 3\), "
            r"features.0.bias \(8,\)",
        ),
        (
            lambda: {"model.0.weight": np.ones((8, 3, 3, 3))},
            "of no network of the official PyTorch code",
        ),
        (lambda: {"model.0.weight": np.ones(3)}, "of no network of the official PyTorch code"),
        (
            lambda: changed(official.Resnet, **{"model.4.weight": np.ones((8, 4, 5, 5))}),
            r"looks like resnet, 4 filters.* does not fit: model.4.weight is \(8, 4, 5, 5\) "
            r"instead of "
            r"\(8, 4, 3, 3\)\. Nothing was taken",
        ),
        (
            lambda: changed(official.Resnet, **{"model.11.conv_block.5.bias": None}),
            r"does not fit: model.11.conv_block.5.bias \(16,\) is missing",
        ),
        (
            lambda: changed(official.Resnet, **{"model.25.weight": np.ones((3, 4, 7, 7))}),
            r"does not fit: model.25.weight \(3, 4, 7, 7\) is unknown",
        ),
        (
            lambda: changed(official.Resnet, **{"model.1.weight": None}),
            "does not fit: model.1.weight is missing",
        ),
        (
            lambda: changed(official.Resnet, **{"model.1.weight": np.ones(4)}),
            r"does not fit: model.1.weight is \(4,\), not of 4 axes",
        ),
        (
            lambda: {
                name.replace("model.1", "model.0"): a
                for name, a in arrays(official.Resnet()).items()
            },
            r"its blocks stand at \[0, 1\] and not from 10 on",
        ),
        (
            lambda: {f"{name}.x": a for name, a in arrays(official.Resnet()).items()},
            "looks like a residual generator, but does not fit: model.1.weight is missing",
        ),
        (lambda: arrays(official.Unet(6)), "looks like a U-Net that halves 6 times; only unet_256"),
        (lambda: arrays(official.Unet(9)), "looks like a U-Net that halves 9 times"),
        (
            lambda: arrays(official.Patch(n_layers=7)),
            "a PatchGAN discriminator of 7 layers; from 1 to 6 are possible",
        ),
        (
            lambda: changed(official.Pixel, **{"net.5.bias": None}),
            r"looks like pixel.* does not fit: net.5.bias \(1,\) is missing",
        ),
    ],
)
def test_what_does_not_fit_is_named(state, message):
    with refused("unsupported", "n.pth", match=message) as caught:
        recognize(state(), "n.pth")
    assert str(caught.value).startswith("n.pth ")
    assert "\n" not in str(caught.value)


def test_of_many_mismatches_the_first_three_are_named():
    state = {
        name: np.ones(9) if name.endswith("bias") else array
        for name, array in arrays(official.Resnet()).items()
    }
    with refused("unsupported", "n.pth"):
        recognize(state, "n.pth")


def test_what_the_official_code_needs_for_networks_of_ours():
    def notes_of(network):
        return " | ".join(notes_for_official_code(recognize(arrays(network), "n.pth")))

    assert notes_of(official.Resnet(blocks=6)) == ""
    assert "set affine=True" in notes_of(official.Resnet(blocks=6, affine=True))
    assert "set n_blocks=2" in notes_of(official.Resnet())
    assert "CUT" in notes_of(official.Resnet(blocks=6, antialiased=True))
    options = official_options
    assert options(recognize(arrays(official.Resnet(blocks=6)), "n")) == (
        "--netG resnet_6blocks --norm instance --ngf 4 --no_dropout"
    )
    assert options(recognize(arrays(official.Resnet(1, 2, 64, 9, "batch", dropout=True)), "n")) == (
        "--netG resnet_9blocks --norm batch --input_nc 1 --output_nc 2"
    )
