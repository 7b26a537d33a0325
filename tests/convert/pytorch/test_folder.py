"""Four files of one training: whose is whose, and what does not belong together."""

import dataclasses

import pytest

from cyclegan_tf.convert.pytorch.folder import (
    OFFICIAL_NAMES,
    experiment_fields,
    file_name,
    find_files,
    is_folder_of_networks,
)
from cyclegan_tf.convert.pytorch.layout import ArchitectureSpec
from tests.helpers.errors import refused

GENERATOR = ArchitectureSpec(
    architecture="resnet_9blocks", input_channels=3, output_channels=1, filters=8, blocks=4,
    n_layers=None,
    dropout=True, norm="instance", norm_affine=False, biases=True, statistics=False,
)  # fmt: skip
BACK = dataclasses.replace(GENERATOR, input_channels=1, output_channels=3)
JUDGE = ArchitectureSpec(
    architecture="patch", input_channels=3, output_channels=1, filters=16, blocks=None, n_layers=2,
    dropout=None, norm="batch", norm_affine=False, biases=False, statistics=True,
)  # fmt: skip


def four(**changes):
    # D_A discriminates what G_A generates, which is of Y
    plain = {
        "generator_xy": GENERATOR,
        "generator_yx": BACK,
        "discriminator_y": dataclasses.replace(JUDGE, input_channels=1),
        "discriminator_x": JUDGE,
    }
    return plain | {
        name: dataclasses.replace(plain[name], **change) for name, change in changes.items()
    }


def test_whose_is_whose():
    discriminators = {"discriminator_y": "D_A", "discriminator_x": "D_B"}
    assert {"generator_xy": "G_A", "generator_yx": "G_B"} | discriminators == OFFICIAL_NAMES
    assert file_name("discriminator_y", "latest") == "latest_net_D_A.pth"


def test_the_files_of_an_epoch(tmp_path):
    for epoch in ("latest", "200"):
        for name in OFFICIAL_NAMES.values():
            (tmp_path / f"{epoch}_net_{name}.pth").touch()
    (tmp_path / "loss_log.txt").touch()
    assert is_folder_of_networks(tmp_path)
    assert {name: path.name for name, path in find_files(tmp_path, "200").items()} == {
        "generator_xy": "200_net_G_A.pth",
        "generator_yx": "200_net_G_B.pth",
        "discriminator_y": "200_net_D_A.pth",
        "discriminator_x": "200_net_D_B.pth",
    }
    with refused(
        "missing", "--epoch", match=r"holds no files of --epoch 5; there are those of 200, latest\."
    ):
        find_files(tmp_path, "5")


def test_a_folder_without_discriminators_names_what_can_be_done(tmp_path):
    (tmp_path / "other").mkdir()
    assert not is_folder_of_networks(tmp_path)
    assert not is_folder_of_networks(tmp_path / "nowhere")
    for name in ("G_A", "G_B"):
        (tmp_path / f"latest_net_{name}.pth").touch()
    assert is_folder_of_networks(tmp_path)
    message = (
        r"lacks latest_net_D_A\.pth, latest_net_D_B\.pth, .* "
        r"\(such as latest_net_G_A\.pth\) to a \.keras file"
    )
    with refused("missing", match=message):
        find_files(tmp_path, "latest")


def test_what_four_networks_decide():
    assert experiment_fields(four()) == {
        "generator": {
            "architecture": "resnet_9blocks", "filters": 8, "blocks": 4, "norm": "instance",
            "norm_affine": False, "upsampling": "transposed",
            "dropout": True,
        },
        "discriminator": {
            "architecture": "patch", "filters": 16, "n_layers": 2, "norm": "batch",
            "norm_affine": False,
        },
        "data": {"channels_x": 3, "channels_y": 1},
    }  # fmt: skip


def test_what_weights_do_not_tell_is_left_open():
    unet = {"architecture": "unet_128", "blocks": None, "dropout": None}
    pixel = {"architecture": "pixel", "n_layers": None}
    fields = experiment_fields(
        four(generator_xy=unet, generator_yx=unet, discriminator_x=pixel, discriminator_y=pixel)
    )
    assert "dropout" not in fields["generator"]
    assert fields["generator"]["blocks"] is None
    assert "n_layers" not in fields["discriminator"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"generator_yx": {"filters": 9}},
            "G_A and G_B are not of one training: filters is 8 in the one and 9 in the",
        ),
        ({"generator_yx": {"dropout": False}}, "dropout is True in the one and False in the other"),
        (
            {"discriminator_x": {"n_layers": 3}},
            "D_A and D_B are not of one training: n_layers is 2 in the one and 3",
        ),
        (
            {"discriminator_x": {"norm": "instance"}},
            "norm is batch in the one and instance in the other",
        ),
        (
            {"generator_yx": {"input_channels": 3}},
            "G_B goes from 3 to 3 channels, but 1 to 3 are expected beside G_A",
        ),
        (
            {"discriminator_y": {"input_channels": 3}},
            "D_A goes from 3 to 1 channels, but 1 to 1 are expected",
        ),
        (
            {"discriminator_x": {"input_channels": 1}},
            "D_B goes from 1 to 1 channels, but 3 to 1 are expected",
        ),
    ],
)
def test_what_does_not_belong_together_is_named(changes, message):
    with refused("mismatch", match=message):
        experiment_fields(four(**changes))


def test_a_discriminator_in_a_generators_place_is_named():
    with refused("mismatch", match="G_B should be a generator, but is n_layers, 16 filters"):
        experiment_fields({**four(), "generator_yx": JUDGE})
    with refused("mismatch", match="D_B should be a discriminator, but is resnet, 8 filters"):
        experiment_fields({**four(), "discriminator_x": GENERATOR})
