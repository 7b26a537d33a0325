"""The command: files, folders and runs, both ways; what goes on from them; one sentence for every
mistake."""

import os

import keras
import numpy as np
import pytest

from cyclegan_tf import cli
from cyclegan_tf.config.experiment import SECTIONS
from cyclegan_tf.convert import command as convert
from cyclegan_tf.errors import UserError
from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train import command as train
from cyclegan_tf.translate import command as translate
from tests.helpers import tiny

torch = pytest.importorskip("torch", reason='needs pip install "cyclegan-tf[torch]"')
from tests.helpers import official_torch as official  # noqa: E402 -- after the skip

FOUR = {
    "G_A": lambda **options: official.Resnet(filters=2, blocks=2, **options),
    "G_B": lambda **options: official.Resnet(filters=2, blocks=2, **options),
    "D_A": lambda **options: official.Patch(filters=3, n_layers=2, **options),
    "D_B": lambda **options: official.Patch(filters=3, n_layers=2, **options),
}
TINY = (
    "--data.load_size_px=18 --data.crop_size_px=16 --training.pool_size_images=2 "
    "--training.precision=float32"
).split()


def networks(**options):
    """The four by their official names, each with weights of its own."""
    return {
        name: official.randomised(build(**options), seed).eval()
        for seed, (name, build) in enumerate(FOUR.items())
    }


def folder(path, made, epoch="latest"):
    path.mkdir(parents=True, exist_ok=True)
    for name, network in made.items():
        torch.save(network.state_dict(), path / f"{epoch}_net_{name}.pth")
    return path


def image(height=16, width=24, channels=3):
    return np.random.default_rng(2).uniform(-1, 1, (1, height, width, channels)).astype(np.float32)


@pytest.fixture(scope="module")
def made():
    return networks()


@pytest.fixture(scope="module")
def given(made, tmp_path_factory):
    return folder(tmp_path_factory.mktemp("official") / "checkpoints", made)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return tiny.folder(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def run(given, images, tmp_path_factory):
    target = tmp_path_factory.mktemp("runs") / "converted"
    assert convert.main([str(given), str(target), f"--data.source={images}", *TINY, "--quiet"]) == 0
    return target


def names(path):
    return sorted(entry.name for entry in path.iterdir())


# One file.


def test_a_file_becomes_a_keras_file(made, given, tmp_path, capsys):
    target = tmp_path / "new" / "g.keras"
    assert convert.main([str(given / "latest_net_G_A.pth"), str(target)]) == 0
    told = capsys.readouterr().out
    parameters = sum(parameter.numel() for parameter in made["G_A"].parameters())
    assert (
        "recognized  latest_net_G_A.pth: resnet, 2 filters, 2 blocks, 3 -> 3 channels, instance "
        "norm, no dropout, "
        f"{parameters:,} parameters\n"
    ) in told
    assert f"next        python -m cyclegan_tf.translate {target} INPUT OUTPUT\n" in told
    assert f"python -m cyclegan_tf.train --init_from {target} --data.source IMAGES\n" in told
    assert names(tmp_path / "new") == ["g.keras"]
    network = keras.saving.load_model(target)
    np.testing.assert_allclose(
        network(image()), official.outputs_of(made["G_A"], image()), atol=1e-4
    )


def test_a_discriminator_becomes_a_keras_file_that_nothing_translates_with(
    made, given, tmp_path, capsys
):
    assert convert.main([str(given / "latest_net_D_B.pth"), str(tmp_path / "d.keras")]) == 0
    assert "next" not in capsys.readouterr().out
    network = keras.saving.load_model(tmp_path / "d.keras")
    truth = official.outputs_of(made["D_B"], image())
    np.testing.assert_allclose(network(image()), truth, atol=1e-4 * np.abs(truth).max())


def test_notes_are_told_and_quiet_is_quiet(tmp_path, capsys):
    network = official.randomised(official.Resnet(filters=2, norm="batch"))
    torch.save({f"module.{k}": v for k, v in network.state_dict().items()}, tmp_path / "n.pth")
    assert convert.main([str(tmp_path / "n.pth"), str(tmp_path / "n.keras")]) == 0
    assert "note        batch normalization uses its running statistics" in capsys.readouterr().out
    assert convert.main([str(tmp_path / "n.pth"), str(tmp_path / "m.keras"), "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_a_keras_file_becomes_a_file_for_pytorch(made, given, tmp_path, capsys):
    assert (
        convert.main([str(given / "latest_net_G_A.pth"), str(tmp_path / "g.keras"), "--quiet"]) == 0
    )
    target = tmp_path / "latest_net_G.pth"
    assert convert.main([str(tmp_path / "g.keras"), str(target), "--to", "pytorch"]) == 0
    told = capsys.readouterr().out
    assert "set n_blocks=2" in told
    assert "python test.py --model test --netG resnet --norm instance --ngf 2 --no_dropout" in told
    loaded, before = torch.load(target, weights_only=True), made["G_A"].state_dict()
    assert list(loaded) == list(before)
    for name, value in before.items():
        assert torch.equal(loaded[name], value), name


# Four files.


def test_a_folder_becomes_a_run_directory(made, run):
    assert names(run) == [
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
            network(image()), official.outputs_of(made[name], image()), atol=1e-4
        )


def test_the_judge_of_y_is_the_one_that_learned_from_images_of_b(made, run):
    """D_A in the authors' code is shown real_B: it must come out as the judge of Y."""
    arrays, scalars = checkpoints.read(checkpoints.listed(run / "checkpoints")[0])
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
    assert names(tmp_path / "out") == ["0.png", "1.png"]


@pytest.mark.slow
def test_the_run_goes_on_training(given, images, tmp_path, capsys):
    target = tmp_path / "run"
    words = [
        f"--data.source={images}",
        *TINY,
        "--training.max_steps=2",
        "--training.ema_half_life_images=8",
    ]
    assert convert.main([str(given), str(target), *words]) == 0
    assert (
        f"next        python -m cyclegan_tf.train --run_dir {target}\n" in capsys.readouterr().out
    )
    before, _ = checkpoints.read(checkpoints.listed(target / "checkpoints")[0])
    assert train.main(["--run_dir", str(target), "--resume", "required"]) == 0
    told = capsys.readouterr().out
    assert "step_000000000.npz, step 0" in told
    assert "the images are not those" not in told
    after, scalars = checkpoints.read(checkpoints.listed(target / "checkpoints")[0])
    assert scalars["step"] == 2
    assert set(after) == set(before)
    moved = np.abs(after["generator_xy/first/kernel"] - before["generator_xy/first/kernel"]).max()
    assert 0 < moved < 1e-2  # from where the weights were


@pytest.mark.slow
def test_a_run_of_batch_normalization_goes_on_training(images, tmp_path):
    source = folder(tmp_path / "official", networks(norm="batch"))
    words = [f"--data.source={images}", *TINY, "--training.max_steps=2", "--quiet"]
    assert convert.main([str(source), str(tmp_path / "run"), *words]) == 0
    assert train.main(["--run_dir", str(tmp_path / "run"), "--quiet"]) == 0
    states = [
        checkpoints.read(path)[0] for path in checkpoints.listed(tmp_path / "run" / "checkpoints")
    ]
    after, before = states[0], states[-1]
    for name in (
        "generator_yx/first_norm/moving_mean",
        "discriminator_x/conv2_norm/moving_variance",
    ):
        assert np.abs(after[name] - before[name]).max() > 0, name


def test_other_epochs_and_domains_of_other_channels(images, tmp_path, capsys):
    made = {
        "G_A": official.Resnet(3, 1, filters=2, blocks=1),
        "G_B": official.Resnet(1, 3, filters=2, blocks=1),
        "D_A": official.Pixel(1, filters=2),
        "D_B": official.Pixel(3, filters=2),
    }
    source = folder(tmp_path / "official", made, epoch="55")
    assert convert.main([str(source), str(tmp_path / "run"), "--epoch", "55", *TINY]) == 0
    told = capsys.readouterr().out
    assert "there is no identity loss" in told
    assert "training here would go on with the demo's images" in told
    experiment = RunDirectory(tmp_path / "run").experiment()
    assert (experiment.data.channels_x, experiment.data.channels_y) == (3, 1)
    assert experiment.loss.identity == 0
    assert experiment.discriminator.architecture == "pixel"
    assert not (tmp_path / "run" / "data.json").exists()


def test_what_a_unet_does_not_tell_may_be_given(tmp_path):
    made = {name: official.Unet(7, filters=1) for name in ("G_A", "G_B")}
    made |= {name: official.Patch(filters=1, n_layers=1) for name in ("D_A", "D_B")}
    source = folder(tmp_path / "official", made)
    words = [
        "--generator.dropout=true",
        "--data.crop_size_px=128",
        "--training.pool_size_images=0",
        "--quiet",
    ]
    assert convert.main([str(source), str(tmp_path / "run"), *words]) == 0
    assert RunDirectory(tmp_path / "run").experiment().generator.dropout is True


# Runs, for PyTorch.


def test_a_run_becomes_a_folder_and_that_the_same_run(made, run, tmp_path, capsys):
    target = tmp_path / "back"
    assert convert.main([str(run), str(target), "--to=pytorch"]) == 0
    assert "python test.py --model cycle_gan --netG resnet" in capsys.readouterr().out
    assert names(target) == [f"latest_net_{name}.pth" for name in sorted(made)]
    for name, network in made.items():
        loaded = torch.load(target / f"latest_net_{name}.pth", weights_only=True)
        again = FOUR[name]()
        again.load_state_dict(loaded, strict=True)
        assert list(loaded) == list(network.state_dict())
        np.testing.assert_array_equal(
            official.outputs_of(again.eval(), image()), official.outputs_of(network, image())
        )


def test_one_generator_of_a_run(made, run, tmp_path):
    target = tmp_path / "g.pth"
    assert convert.main([str(run), str(target), "--to=pytorch", "--direction=yx", "--quiet"]) == 0
    loaded = torch.load(target, weights_only=True)
    assert all(torch.equal(loaded[name], value) for name, value in made["G_B"].state_dict().items())


def test_the_best_checkpoint_holds_generators_only(run, tmp_path, capsys):
    arrays, _ = checkpoints.read(checkpoints.listed(run / "checkpoints")[0])
    best = {
        name: array
        for name, array in arrays.items()
        if name.startswith("generator_") and "optimizer" not in name
    }
    copy = tmp_path / "run"
    (copy / "checkpoints").mkdir(parents=True)
    (copy / "config.yaml").write_text((run / "config.yaml").read_text())
    state = {"step": 7, "score": 1.0, "higher_is_better": False, "best_by": "swd", "weights": "raw"}
    checkpoints.write_best(copy / "checkpoints", 7, best, state)
    words = [str(copy), str(tmp_path / "out"), "--to=pytorch", "--checkpoint=best", "--epoch=7"]
    assert convert.main(words) == 0
    assert names(tmp_path / "out") == ["7_net_G_A.pth", "7_net_G_B.pth"]
    assert "D_A is left out: this checkpoint holds no discriminator_y" in capsys.readouterr().out


# Targets that are there.


def test_targets_that_are_there_are_replaced_only_if_asked(given, run, images, tmp_path):
    source, target = str(given / "latest_net_G_A.pth"), tmp_path / "g.keras"
    target.write_bytes(b"mine")
    with pytest.raises(UserError, match=r"g\.keras exists already; give --overwrite"):
        convert.main([source, str(target)])
    assert target.read_bytes() == b"mine"
    assert convert.main([source, str(target), "--overwrite", "--quiet"]) == 0
    assert target.read_bytes() != b"mine"

    again = tmp_path / "run"
    words = [str(given), str(again), "--quiet", *TINY]
    assert convert.main(words) == 0
    with pytest.raises(UserError, match="run exists already; give --overwrite"):
        convert.main(words)
    (again / "old").touch()
    assert convert.main([*words, "--overwrite"]) == 0
    assert not (again / "old").exists()


@pytest.mark.parametrize("words", [["--overwrite"], []])
def test_a_folder_of_other_things_is_never_replaced(given, tmp_path, words):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").touch()
    with pytest.raises(UserError, match=r"exists already|holds something else"):
        convert.main([str(given), str(tmp_path / "home"), *words])
    assert names(tmp_path / "home") == ["thesis.tex"]
    with pytest.raises(UserError, match="is, or holds, the source"):
        convert.main([str(given), str(given.parent), *words])
    with pytest.raises(UserError, match="is, or holds, the source"):
        convert.main([str(given), str(given), *words])
    assert len(names(given)) == 4


# Mistakes.


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("{tmp}/nowhere", "{tmp}/g.keras"), "nowhere does not exist"),
        (("{tmp}/words.txt", "{tmp}/g.keras"), "words.txt is nothing that can be converted"),
        (("{tmp}/empty", "{tmp}/g.keras"), "empty is nothing that can be converted"),
        (("{tmp}/words.pth", "{tmp}/g.keras"), "words.pth is damaged or not a PyTorch checkpoint"),
        (("{given}/latest_net_G_A.pth", "{tmp}/g"), r"g must end in \.keras"),
        (("{given}", "{tmp}/g.keras"), "becomes a run directory; give a target that is a folder"),
        (
            ("{given}/latest_net_G_A.pth", "{tmp}/g.keras", "--architecture=unet_256"),
            "not --architecture unet_256",
        ),
        (("{given}/latest_net_G_A.pth", "{tmp}/g.keras", "--architecture=unet"), "--architecture"),
        (
            ("{given}/latest_net_G_A.pth", "{tmp}/g.keras", "--norm=batch"),
            "cannot be of batch normalization",
        ),
        (
            ("{given}", "{tmp}/run", "--epoch=3"),
            "holds no files of --epoch 3; there are those of latest",
        ),
        (
            ("{given}", "{tmp}/run", "--generator.filters=8"),
            "--generator.filters is 8, but the weights are of 2",
        ),
        (
            ("{given}", "{tmp}/run", "--generator.long_skips=on"),
            "long_skips is not for networks that are there already",
        ),
        (
            ("{given}", "{tmp}/run", "--generator.dropout=true"),
            "--generator.dropout is True, but the weights are of False",
        ),
        (("{given}", "{tmp}/run", "--data.crop_size_px=30", *TINY[:1]), "data.crop_size_px is 30"),
        (("{given}", "{tmp}/run", "--data.source={tmp}/nowhere"), "nowhere does not exist"),
        (("{given}", "{tmp}/run", "--crop_size=3"), "did you mean --data.crop_size_px?"),
        (("{run}", "{tmp}/out"), "is a run directory already; give --to pytorch"),
        (("{given}", "{tmp}/out", "--to=pytorch"), "neither a run directory nor a .keras file"),
        (("{tmp}/g9.keras", "{tmp}/out", "--to=pytorch"), r"out must end in \.pth"),
        (
            ("{tmp}/g9.keras", "{tmp}/out.pth", "--to=pytorch"),
            "is no network of the authors' PyTorch code",
        ),
        (
            ("{run}", "{tmp}/out", "--to=pytorch", "--checkpoint=5"),
            "--checkpoint is '5'; take best, last, or one",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(given, run, tmp_path, words, message):
    (tmp_path / "empty").mkdir()
    for name in ("words.txt", "words.pth"):
        (tmp_path / name).write_text("words")
    if "g9" in words[0]:
        build_generator("fast_style", filters=2, blocks=1, seed=0).save(tmp_path / "g9.keras")
    before = names(tmp_path)
    with pytest.raises(UserError, match=message) as told:
        convert.main([word.format(tmp=tmp_path, given=given, run=run) for word in words])
    assert "\n" not in str(told.value)
    assert names(tmp_path) == before


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch '{self.path}'",)


def test_a_malicious_file_is_status_2_and_runs_nothing(tmp_path, capsys):
    torch.save({"model.1.weight": Trap(tmp_path / "caught")}, tmp_path / "n.pth")
    with pytest.raises(SystemExit) as caught:
        cli.run(convert.main, [str(tmp_path / "n.pth"), str(tmp_path / "n.keras")])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert names(tmp_path) == ["n.pth"]


def test_weights_of_a_training_that_broke_down_are_refused(made, tmp_path):
    source = folder(tmp_path / "official", made)
    arrays = made["D_B"].state_dict()
    torch.save(
        arrays | {"model.2.bias": arrays["model.2.bias"] * float("nan")},
        source / "latest_net_D_B.pth",
    )
    for words in (
        [str(source), str(tmp_path / "run")],
        [str(source / "latest_net_D_B.pth"), str(tmp_path / "d.keras")],
    ):
        with pytest.raises(
            UserError, match=r"D_B\.pth holds numbers that are not finite, first in model\.2\.bias"
        ):
            convert.main(words)
    assert names(tmp_path) == ["official"]


def test_a_folder_of_two_trainings_leaves_nothing(made, tmp_path):
    other = official.Patch(filters=5, n_layers=2)
    source = folder(tmp_path / "official", {**made, "D_B": other})
    with pytest.raises(
        UserError, match="D_A and D_B are not of one training: filters is 3 in the one and 5"
    ):
        convert.main([str(source), str(tmp_path / "run")])
    assert names(tmp_path) == ["official"]


def test_a_conversion_that_fails_while_writing_leaves_nothing(given, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "write", full)
    with pytest.raises(OSError, match="No space left"):
        convert.main([str(given), str(tmp_path / "run"), *TINY, "--quiet"])
    monkeypatch.setattr(keras.Model, "save", full)
    with pytest.raises(OSError, match="No space left"):
        convert.main([str(given / "latest_net_G_A.pth"), str(tmp_path / "g.keras"), "--quiet"])
    assert names(tmp_path) == []


def test_keras_files_go_to_the_reader_of_older_ones(tmp_path, monkeypatch, capsys):
    from cyclegan_tf.convert.keras2 import open as legacy

    network = build_generator("resnet_6blocks", filters=2, blocks=1, seed=0)
    asked = []

    def open_model(path, direction="xy"):
        asked.append((path, direction))
        return network, ["its padding was its own"]

    monkeypatch.setattr(legacy, "open_model", open_model)
    (tmp_path / "old.h5").write_bytes(b"old")
    assert (
        convert.main([str(tmp_path / "old.h5"), str(tmp_path / "new.keras"), "--direction=yx"]) == 0
    )
    assert asked == [(tmp_path / "old.h5", "yx")]
    told = capsys.readouterr().out
    assert "note        its padding was its own" in told
    loaded = keras.saving.load_model(tmp_path / "new.keras")
    np.testing.assert_array_equal(loaded(image()), network(image()))
    assert names(tmp_path) == ["new.keras", "old.h5"]


# Frozen on purpose: a flag that goes away or changes its name breaks people's scripts.
OPTIONS = "--to --architecture --norm --epoch --direction --checkpoint --overwrite --quiet".split()


def test_options_are_frozen():
    ours = [name for name in convert.build_parser().option_names() if "." not in name]
    assert sorted(ours) == sorted([*OPTIONS, *(f"--{section}" for section in SECTIONS)])
