"""Runs and `.keras` files become official files again."""

import numpy as np
import pytest

from cyclegan_tf.convert import command
from cyclegan_tf.runs import checkpoints
from tests.convert.shared import names_in, noise

torch = pytest.importorskip("torch", reason='needs pip install ".[torch]"')
from tests.helpers import official_torch  # noqa: E402 -- after the skip


def test_a_keras_file_becomes_a_file_for_pytorch(made, given, tmp_path, capsys):
    assert (
        command.main([str(given / "latest_net_G_A.pth"), str(tmp_path / "g.keras"), "--quiet"]) == 0
    )
    target = tmp_path / "latest_net_G.pth"
    assert command.main([str(tmp_path / "g.keras"), str(target), "--to", "pytorch"]) == 0
    report = capsys.readouterr().out
    assert "set n_blocks=2" in report
    assert (
        "python test.py --model test --netG resnet --norm instance --ngf 2 --no_dropout" in report
    )
    loaded, before = torch.load(target, weights_only=True), made["G_A"].state_dict()
    assert list(loaded) == list(before)
    for name, value in before.items():
        assert torch.equal(loaded[name], value), name


def test_a_run_becomes_a_folder_and_that_the_same_run(made, run, tmp_path, capsys):
    target = tmp_path / "back"
    assert command.main([str(run), str(target), "--to=pytorch"]) == 0
    assert "python test.py --model cycle_gan --netG resnet" in capsys.readouterr().out
    assert names_in(target) == [f"latest_net_{name}.pth" for name in sorted(made)]
    for name, network in made.items():
        loaded = torch.load(target / f"latest_net_{name}.pth", weights_only=True)
        again = official_torch.FOUR[name]()
        again.load_state_dict(loaded, strict=True)
        assert list(loaded) == list(network.state_dict())
        np.testing.assert_array_equal(
            official_torch.outputs_of(again.eval(), noise()),
            official_torch.outputs_of(network, noise()),
        )


def test_one_generator_of_a_run(made, run, tmp_path):
    target = tmp_path / "g.pth"
    assert command.main([str(run), str(target), "--to=pytorch", "--direction=yx", "--quiet"]) == 0
    loaded = torch.load(target, weights_only=True)
    assert all(torch.equal(loaded[name], value) for name, value in made["G_B"].state_dict().items())


def test_the_best_checkpoint_holds_generators_only(run, tmp_path, capsys):
    arrays, _ = checkpoints.read(checkpoints.list_checkpoints(run / "checkpoints")[0])
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
    assert command.main(words) == 0
    assert names_in(tmp_path / "out") == ["7_net_G_A.pth", "7_net_G_B.pth"]
    assert "D_A is left out: this checkpoint holds no discriminator_y" in capsys.readouterr().out
