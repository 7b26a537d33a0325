"""Official files and files of Keras 2 become `.keras` files and runs."""

import keras
import numpy as np
import pytest

from cyclegan_tf.convert import command
from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train import command as train
from cyclegan_tf.train import plan
from cyclegan_tf.translate import command as translate
from tests.convert.shared import TINY, names_in, noise
from tests.helpers.errors import refused

torch = pytest.importorskip("torch", reason='needs pip install ".[torch]"')
from tests.helpers import official_torch, tiny  # noqa: E402 -- after the skip

HDF5_BEGINNING = b"\x89HDF\r\n\x1a\n"


def test_a_file_becomes_a_keras_file(made, given, tmp_path, capsys):
    target = tmp_path / "new" / "g.keras"
    assert command.main([str(given / "latest_net_G_A.pth"), str(target)]) == 0
    report = capsys.readouterr().out
    parameters = sum(parameter.numel() for parameter in made["G_A"].parameters())
    assert (
        "recognized  latest_net_G_A.pth: resnet, 2 filters, 2 blocks, 3 -> 3 channels, instance "
        "norm, no dropout, "
        f"{parameters:,} parameters\n"
    ) in report
    assert f"next        python -m cyclegan_tf.translate {target} INPUT OUTPUT\n" in report
    assert f"python -m cyclegan_tf.train --init_from {target} --data.source IMAGES\n" in report
    assert names_in(tmp_path / "new") == ["g.keras"]
    network = keras.saving.load_model(target)
    np.testing.assert_allclose(
        network(noise()), official_torch.outputs_of(made["G_A"], noise()), atol=1e-4
    )


def test_a_published_model_becomes_a_keras_file(made, tmp_path):
    source = official_torch.save_folder(tmp_path / "horse2zebra_pretrained", {"G": made["G_A"]})
    target = tmp_path / "g.keras"
    assert command.main([str(source), str(target), "--quiet"]) == 0
    np.testing.assert_allclose(
        keras.saving.load_model(target)(noise()),
        official_torch.outputs_of(made["G_A"], noise()),
        atol=1e-4,
    )
    with refused("invalid", tmp_path / "run", match=r"run must end in \.keras"):
        command.main([str(source), str(tmp_path / "run")])
    with refused("missing", "--epoch", match="there are those of latest"):
        command.main([str(source), str(tmp_path / "h.keras"), "--epoch=3"])


def test_a_generator_of_cut_becomes_a_keras_file_and_again_one_of_cut(tmp_path, capsys):
    network = official_torch.randomized(official_torch.Resnet(filters=2, antialiased=True)).eval()
    source = official_torch.save_folder(tmp_path / "grumpifycat_CUT", {"G": network})
    target, again = tmp_path / "g.keras", tmp_path / "latest_net_G.pth"
    assert command.main([str(source), str(target)]) == 0
    assert "anti-aliased as CUT's" in capsys.readouterr().out
    truth = official_torch.outputs_of(network, noise())
    np.testing.assert_allclose(keras.saving.load_model(target)(noise()), truth, atol=1e-5)
    assert command.main([str(target), str(again), "--to", "pytorch"]) == 0
    report = capsys.readouterr().out
    assert "it is a generator of CUT" in report
    assert "next" not in report
    loaded = torch.load(again, weights_only=True)
    assert list(loaded) == list(network.state_dict())
    for name, value in network.state_dict().items():
        np.testing.assert_array_equal(loaded[name], value)


def test_a_discriminator_becomes_a_keras_file_that_nothing_translates_with(
    made, given, tmp_path, capsys
):
    assert command.main([str(given / "latest_net_D_B.pth"), str(tmp_path / "d.keras")]) == 0
    assert "next" not in capsys.readouterr().out
    network = keras.saving.load_model(tmp_path / "d.keras")
    truth = official_torch.outputs_of(made["D_B"], noise())
    np.testing.assert_allclose(network(noise()), truth, atol=1e-4 * np.abs(truth).max())


def test_notes_are_logged_unless_quiet(tmp_path, capsys):
    network = official_torch.randomized(official_torch.Resnet(filters=2, norm="batch"))
    torch.save({f"module.{k}": v for k, v in network.state_dict().items()}, tmp_path / "n.pth")
    assert command.main([str(tmp_path / "n.pth"), str(tmp_path / "n.keras")]) == 0
    assert "note        batch normalization uses its running statistics" in capsys.readouterr().out
    assert command.main([str(tmp_path / "n.pth"), str(tmp_path / "m.keras"), "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_a_folder_becomes_a_run_directory(made, run):
    assert names_in(run) == [
        "checkpoints", "config.yaml", "data.json", "environment.json", "generator_xy.keras",
        "generator_yx.keras",
    ]  # fmt: skip
    experiment = RunDirectory(run).experiment()
    assert (experiment.generator.architecture, experiment.generator.filters,
        experiment.generator.blocks) == (
        "resnet_9blocks", 2, 2,
    )  # fmt: skip
    assert (experiment.discriminator.filters, experiment.discriminator.n_layers) == (3, 2)
    assert experiment.data.crop_size_px == 16
    for direction, name in (("xy", "G_A"), ("yx", "G_B")):
        network = keras.saving.load_model(run / f"generator_{direction}.keras")
        np.testing.assert_allclose(
            network(noise()), official_torch.outputs_of(made[name], noise()), atol=1e-4
        )


def test_the_discriminator_of_y_is_the_one_trained_on_images_of_b(made, run):
    """The official D_A is trained on real_B: it must become our discriminator of Y."""
    arrays, scalars = checkpoints.read(checkpoints.list_checkpoints(run / "checkpoints")[0])
    assert scalars["step"] == 0
    for attribute, name in (
        ("discriminator_y", "D_A"),
        ("discriminator_x", "D_B"),
        ("generator_xy", "G_A"),
    ):
        layer = "first" if attribute.startswith("generator") else "conv1"
        official_name = "model.1.weight" if attribute.startswith("generator") else "model.0.weight"
        theirs = made[name].state_dict()[official_name].numpy().transpose(2, 3, 1, 0)
        np.testing.assert_array_equal(arrays[f"{attribute}/{layer}/kernel"], theirs)
    fresh = [
        name for name in arrays if "optimizer" in name and name.endswith(("momentum", "velocity"))
    ]
    assert len(fresh) > 20
    assert not any(arrays[name].any() for name in fresh)
    assert not arrays["pool_x/count"]


def test_the_run_translates(made, run, images, tmp_path):
    assert (
        translate.main(
            [str(run), str(images / "testB"), str(tmp_path / "out"), "--direction=yx", "--quiet"]
        )
        == 0
    )
    assert names_in(tmp_path / "out") == ["0.png", "1.png"]


OPTIONS = """----------------- Options ---------------
                direction: {direction}
                 gan_mode: wgangp                            \t[default: lsgan]
                 lambda_A: 8.0
                 lambda_B: 12.0
                lr_policy: linear
               batch_size: 1
                load_size: 40
                crop_size: 32
                pool_size: 3                                 \t[default: 50]
----------------- End -------------------
"""


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_train_opt_txt_beside_the_files_is_read(made, tmp_path, capsys, direction):
    source = official_torch.save_folder(tmp_path / "official", made)
    (source / "train_opt.txt").write_text(OPTIONS.format(direction=direction))
    target = tmp_path / "run"
    assert command.main([str(source), str(target), "--data.load_size_px=36"]) == 0
    report = capsys.readouterr().out
    assert "train_opt.txt: loss.gan_mode wgangp, " in report
    assert "the official CycleGAN trains wgangp without its gradient penalty" in report
    experiment = RunDirectory(target).experiment()
    loss, data = experiment.loss, experiment.data
    assert (loss.gan_mode, loss.gradient_penalty) == ("wgangp", 0.0)
    assert (data.load_size_px, data.crop_size_px) == (36, 32)  # as typed, as written
    assert experiment.training.pool_size_images == 3
    assert ("G_B is from X to Y here" in report) == (direction == "BtoA")
    forward, back = ("G_A", "G_B") if direction == "AtoB" else ("G_B", "G_A")
    assert (loss.cycle_x, loss.cycle_y) == ((8, 12) if forward == "G_A" else (12, 8))
    arrays, _ = checkpoints.read(checkpoints.list_checkpoints(target / "checkpoints")[0])
    for attribute, official, name in (
        ("generator_xy/first", forward, "model.1.weight"),
        ("generator_yx/first", back, "model.1.weight"),
        ("discriminator_y/conv1", forward.replace("G", "D"), "model.0.weight"),
    ):
        theirs = made[official].state_dict()[name].numpy().transpose(2, 3, 1, 0)
        np.testing.assert_array_equal(arrays[f"{attribute}/kernel"], theirs)


@pytest.mark.parametrize(
    ("name", "taken"), [("latest_net_G.pth", "trainB"), ("latest_net_G_B.pth", "trainA")]
)
def test_train_opt_txt_beside_one_generator_is_read(made, tmp_path, capsys, name, taken):
    source = official_torch.save_folder(tmp_path / "official", made)
    given = tmp_path / "one"
    given.mkdir()
    (source / "latest_net_G_A.pth").rename(given / name)
    (given / "train_opt.txt").write_text(OPTIONS.format(direction="BtoA"))
    whole = name == "latest_net_G.pth"
    target = tmp_path / "g.keras"
    assert command.main([str(given if whole else given / name), str(target)]) == 0
    report = capsys.readouterr().out
    assert "train_opt.txt: loss.gan_mode wgangp, " in report
    assert f"the direction was BtoA, so {name} takes images of {taken}" in report
    (training,) = (line for line in report.splitlines() if "--init_from" in line)
    words = training.split("--data.source IMAGES ")[1]
    experiment = plan.build_parser().parse(words.split())
    assert (experiment["loss.gan_mode"], experiment["loss.gradient_penalty"]) == ("wgangp", 0.0)
    assert (experiment["loss.cycle_x"], experiment["loss.cycle_y"]) == (12, 8)
    assert "--data.batch_size" not in words  # as it is anyway


@pytest.mark.usefixtures("step_by_step")
@pytest.mark.slow
def test_the_run_goes_on_training(given, tmp_path, capsys):
    images, target = tiny.folder(tmp_path / "images", (2, 2, 0, 0)), tmp_path / "run"
    words = [
        f"--data.source={images}",
        *TINY,
        "--training.max_steps=2",
        "--training.ema_half_life_images=8",
    ]
    assert command.main([str(given), str(target), *words]) == 0
    assert (
        f"next        python -m cyclegan_tf.train --run_dir {target}\n" in capsys.readouterr().out
    )
    before, _ = checkpoints.read(checkpoints.list_checkpoints(target / "checkpoints")[0])
    assert train.main(["--run_dir", str(target), "--resume", "required"]) == 0
    report = capsys.readouterr().out
    assert "step_000000000.npz, step 0" in report
    assert "the images are not those" not in report
    after, scalars = checkpoints.read(checkpoints.list_checkpoints(target / "checkpoints")[0])
    assert scalars["step"] == 2
    assert set(after) == set(before)
    moved = np.abs(after["generator_xy/first/kernel"] - before["generator_xy/first/kernel"]).max()
    assert 0 < moved < 1e-2  # from where the weights were


@pytest.mark.usefixtures("step_by_step")
@pytest.mark.slow
def test_a_run_of_batch_normalization_goes_on_training(tmp_path):
    images = tiny.folder(tmp_path / "images", (2, 2, 0, 0))
    source = official_torch.save_folder(
        tmp_path / "official", official_torch.four_networks(norm="batch")
    )
    words = [f"--data.source={images}", *TINY, "--training.max_steps=1", "--quiet"]
    assert command.main([str(source), str(tmp_path / "run"), *words]) == 0
    assert train.main(["--run_dir", str(tmp_path / "run"), "--quiet"]) == 0
    states = [
        checkpoints.read(path)[0]
        for path in checkpoints.list_checkpoints(tmp_path / "run" / "checkpoints")
    ]
    after, before = states[0], states[-1]
    for name in (
        "generator_yx/first_norm/moving_mean",
        "discriminator_x/conv2_norm/moving_variance",
    ):
        assert np.abs(after[name] - before[name]).max() > 0, name


def test_other_epochs_and_domains_of_other_channels(images, tmp_path, capsys):
    made = {
        "G_A": official_torch.Resnet(3, 1, filters=2, blocks=1),
        "G_B": official_torch.Resnet(1, 3, filters=2, blocks=1),
        "D_A": official_torch.Pixel(1, filters=2),
        "D_B": official_torch.Pixel(3, filters=2),
    }
    source = official_torch.save_folder(tmp_path / "official", made, epoch="55")
    assert command.main([str(source), str(tmp_path / "run"), "--epoch", "55", *TINY]) == 0
    report = capsys.readouterr().out
    assert "there is no identity loss" in report
    assert "training here would go on with the demo's images" in report
    experiment = RunDirectory(tmp_path / "run").experiment()
    assert (experiment.data.channels_x, experiment.data.channels_y) == (3, 1)
    assert experiment.loss.identity == 0
    assert experiment.discriminator.architecture == "pixel"
    assert not (tmp_path / "run" / "data.json").exists()


def test_dropout_of_a_unet_may_be_given(tmp_path):
    made = {name: official_torch.Unet(7, filters=1) for name in ("G_A", "G_B")}
    made |= {name: official_torch.Patch(filters=1, n_layers=1) for name in ("D_A", "D_B")}
    source = official_torch.save_folder(tmp_path / "official", made)
    words = [
        "--generator.dropout=true",
        "--data.crop_size_px=128",
        "--training.pool_size_images=0",
        "--quiet",
    ]
    assert command.main([str(source), str(tmp_path / "run"), *words]) == 0
    assert RunDirectory(tmp_path / "run").experiment().generator.dropout is True


def test_weights_of_a_training_that_broke_down_are_refused(made, tmp_path):
    source = official_torch.save_folder(tmp_path / "official", made)
    arrays = made["D_B"].state_dict()
    torch.save(
        arrays | {"model.2.bias": arrays["model.2.bias"] * float("nan")},
        source / "latest_net_D_B.pth",
    )
    for words in (
        [str(source), str(tmp_path / "run")],
        [str(source / "latest_net_D_B.pth"), str(tmp_path / "d.keras")],
    ):
        with refused(
            "unsupported",
            match=r"D_B\.pth holds numbers that are not finite, first in model\.2\.bias",
        ):
            command.main(words)
    assert names_in(tmp_path) == ["official"]


def test_a_folder_of_two_trainings_leaves_nothing(made, tmp_path):
    other = official_torch.Patch(filters=5, n_layers=2)
    source = official_torch.save_folder(tmp_path / "official", {**made, "D_B": other})
    with refused(
        "mismatch", match="D_A and D_B are not of one training: filters is 3 in the one and 5"
    ):
        command.main([str(source), str(tmp_path / "run")])
    assert names_in(tmp_path) == ["official"]


def test_a_conversion_that_fails_while_writing_leaves_nothing(given, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "write", full)
    with pytest.raises(OSError, match="No space left"):
        command.main([str(given), str(tmp_path / "run"), *TINY, "--quiet"])
    monkeypatch.setattr(keras.Model, "save", full)
    with pytest.raises(OSError, match="No space left"):
        command.main([str(given / "latest_net_G_A.pth"), str(tmp_path / "g.keras"), "--quiet"])
    assert names_in(tmp_path) == []


def test_keras_files_go_to_the_reader_of_older_ones(tmp_path, monkeypatch, capsys):
    network = build_generator("resnet_6blocks", filters=2, blocks=1, seed=0)
    asked = []

    def open_model(path, direction="xy"):
        asked.append((path, direction))
        return network, ["its padding was its own"]

    monkeypatch.setattr("cyclegan_tf.convert.keras2.open.open_model", open_model)
    (tmp_path / "old.h5").write_bytes(HDF5_BEGINNING)
    assert (
        command.main([str(tmp_path / "old.h5"), str(tmp_path / "new.keras"), "--direction=yx"]) == 0
    )
    assert asked == [(tmp_path / "old.h5", "yx")]
    report = capsys.readouterr().out
    assert "note        its padding was its own" in report
    loaded = keras.saving.load_model(tmp_path / "new.keras")
    np.testing.assert_array_equal(loaded(noise()), network(noise()))
    assert names_in(tmp_path) == ["new.keras", "old.h5"]


@pytest.mark.parametrize("last", ["noise", "discriminator"])
def test_only_what_translates_is_recommended_for_it(tmp_path, monkeypatch, capsys, last):
    images = keras.Input((None, None, 3))
    network = keras.Model(images, keras.layers.Conv2D(1, 4, 2)(images))
    if last == "noise":
        vectors = keras.Input((10,))
        network = keras.Model(vectors, keras.layers.Dense(4)(vectors))
    monkeypatch.setattr(
        "cyclegan_tf.convert.keras2.open.open_model", lambda *_, **__: (network, [])
    )
    source, target = tmp_path / "old.h5", tmp_path / "new.keras"
    source.write_bytes(HDF5_BEGINNING)
    if last == "noise":
        with refused("unsupported", source):
            command.main([str(source), str(target)])
        assert not target.exists()
    else:
        assert command.main([str(source), str(target)]) == 0
        report = capsys.readouterr().out
        assert "no command translates or trains with it" in report
        assert "next" not in report
