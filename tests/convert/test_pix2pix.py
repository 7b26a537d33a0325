"""The official pix2pix: its networks, one step of it against ours, and a run that goes on."""

import keras
import numpy as np
import pytest

from cyclegan_tf.convert import command
from cyclegan_tf.convert.pytorch.layout import keras_weights
from cyclegan_tf.convert.pytorch.networks import build_from_state_dict, variables
from cyclegan_tf.convert.pytorch.recognize import recognize
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.model.loss_weights import PAPER_LOSS_WEIGHTS
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train import command as train
from tests.convert.shared import TINY, names_in
from tests.helpers.errors import refused

torch = pytest.importorskip("torch", reason='needs pip install ".[torch]"')
from tests.helpers import official_torch, tiny, torch_pix2pix  # noqa: E402 -- after the skip

RATE = 1e-2


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_one_step_is_that_of_pytorch(norm):
    """A U-Net of 7 levels and a PatchGAN of 6 channels: equal terms, and equal gradients."""
    theirs = {
        "G": official_torch.randomized(official_torch.Unet(7, filters=2, norm=norm), 1).train(),
        "D": official_torch.randomized(
            official_torch.Patch(inputs=6, filters=2, norm=norm), 2
        ).train(),
    }
    before = {name: official_torch.arrays_of(network) for name, network in theirs.items()}
    specs = {name: recognize(arrays, name) for name, arrays in before.items()}
    g, d = (build_from_state_dict(specs[name], before[name]) for name in "GD")
    idle = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(3, 1)])
    gan = CycleGAN(g, idle, None, d, conditional=True, pool_size_images=0)
    gan.compile(
        keras.optimizers.SGD(RATE),
        keras.optimizers.SGD(RATE),
        gan_mode="vanilla",
        loss_weights=dict.fromkeys(PAPER_LOSS_WEIGHTS, 0.0)
        | {"adversarial_y": 1.0, "paired_y": 100.0},
    )
    random = np.random.default_rng(3)
    x, y = (random.uniform(-1, 1, (1, 128, 128, 3)).astype(np.float32) for _ in "xy")
    expected = torch_pix2pix.step(theirs["G"], theirs["D"], x, y, 100.0, RATE)
    logs = gan.train_step((x, y))
    for name, value in expected.items():
        assert float(logs[name]) == pytest.approx(value, abs=1e-4), name
    for name, network in (("G", g), ("D", d)):
        after = keras_weights(specs[name], official_torch.arrays_of(theirs[name]))
        start = keras_weights(specs[name], before[name])
        trained = {variable.path for variable in network.trainable_variables}
        for path, variable in variables(network).items():
            if variable.path not in trained:
                continue
            gradient, wanted = ((a - start[path]) / RATE for a in (variable.numpy(), after[path]))
            bound = 1e-4 * max(1.0, float(np.abs(wanted).max()))
            np.testing.assert_allclose(gradient, wanted, rtol=0, atol=bound, err_msg=path)


@pytest.fixture
def official(tmp_path):
    """A folder as their train.py leaves it, of tiny networks."""
    networks = {
        "G": official_torch.randomized(official_torch.Resnet(filters=2, norm="batch"), 1),
        "D": official_torch.randomized(
            official_torch.Patch(inputs=6, filters=2, n_layers=1, norm="batch"), 2
        ),
    }
    return official_torch.save_folder(tmp_path / "facades_pix2pix", networks)


OPTIONS = """----------------- Options ---------------
               batch_size: 1
                direction: {direction}                          \t[default: AtoB]
             dataset_mode: aligned
                 gan_mode: vanilla
                lambda_L1: 80.0                          \t[default: 100.0]
                    model: pix2pix
                pool_size: 0
               no_dropout: False
----------------- End -------------------
"""


@pytest.mark.parametrize("direction", ["AtoB", "BtoA", None])
def test_a_folder_becomes_a_run_that_goes_on(official, images, tmp_path, capsys, direction):
    if direction:
        (official / "train_opt.txt").write_text(OPTIONS.format(direction=direction))
    way, domain = ("yx", "x") if direction == "BtoA" else ("xy", "y")
    run = tmp_path / "run"
    words = [str(official), str(run), f"--data.source={images}", *TINY[:2], TINY[-1]]
    assert command.main(words) == 0
    report = capsys.readouterr().out
    assert "has no counterpart here" not in report
    assert f"translate {run} INPUT OUTPUT --direction {way}" in report
    experiment = RunDirectory(run).experiment()
    weights = (0, 80.0 if direction else 100.0)
    assert experiment.loss.paired_weights(True) == (weights if way == "xy" else weights[::-1])
    assert experiment.discriminator.conditional
    assert (experiment.data.pairs, experiment.loss.gan_mode) == ("auto", "vanilla")
    assert experiment.training.pool_size_images == 0
    arrays, _ = checkpoints.read(checkpoints.list_checkpoints(run / "checkpoints")[0])
    for attribute, name in (
        (f"generator_{way}/first", "G"),
        (f"discriminator_{domain}/conv1", "D"),
    ):
        state = torch.load(official / f"latest_net_{name}.pth", weights_only=True)
        kernel = state[f"model.{int(name == 'G')}.weight"].numpy().transpose(2, 3, 1, 0)
        np.testing.assert_array_equal(arrays[f"{attribute}/kernel"], kernel)
    if direction != "BtoA":
        return
    more = ["--run_dir", str(run), "--training.more_minutes=0.02", "--quiet"]
    assert train.main(more) == 0
    row = tiny.outcome(run)[2][-1]
    assert {"paired_x", "discriminator_x"} <= set(row) or row["kind"] == "score"


def test_what_is_no_pix2pix_is_refused(official, tmp_path):
    plain = official_torch.randomized(official_torch.Patch(inputs=3, filters=2), 2)
    official_torch.save_folder(official, {"D": plain})
    with refused("unsupported", official, match="D takes 3 channels, and not the 3 \\+ 3"):
        command.main([str(official), str(tmp_path / "run")])
    with refused("missing", "--epoch", match="there are those of latest"):
        command.main([str(official), str(tmp_path / "run"), "--epoch=5"])
    official_torch.save_folder(official, {"G": plain})
    with refused("mismatch", official, match="should hold a generator G"):
        command.main([str(official), str(tmp_path / "run")])
    assert names_in(tmp_path) == ["facades_pix2pix"]
    (official / "latest_net_D.pth").unlink()
    with refused("invalid", tmp_path / "run", match=r"must end in \.keras"):
        command.main([str(official), str(tmp_path / "run")])


def test_the_statistics_of_the_image_at_hand_can_be_taken(tmp_path):
    """What their test.py does without --eval: its batch is the image."""
    network = official_torch.randomized(official_torch.Unet(7, filters=2, norm="batch"), 1)
    source = official_torch.save_folder(tmp_path / "official", {"G": network})
    image = np.random.default_rng(2).uniform(-1, 1, (1, 128, 128, 3)).astype(np.float32)
    running = official_torch.outputs_of(network.eval(), image)
    at_hand = official_torch.outputs_of(network.train(), image)
    assert np.abs(running - at_hand).max() > 0.1
    for norm, expected in (("auto", running), ("instance", at_hand)):
        target = tmp_path / f"{norm}.keras"
        assert command.main([str(source), str(target), "--norm", norm, "--quiet"]) == 0
        found = keras.saving.load_model(target)(image)
        np.testing.assert_allclose(found, expected, atol=2e-4)
