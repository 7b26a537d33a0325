"""There and back, as far as it goes without the authors' code: what is run, recorded, compared."""

import dataclasses
import sys

import pytest

from benchmarks.quality import authors, authors_code
from cyclegan_tf.convert import command as convert
from tests.convert.shared import TINY
from tests.helpers import tiny

CODE = {
    "options/all.py": "PLAIN = ['--gpu_ids', '--niter']\n",
    "models/cycle_gan_model.py": """
import numpy as np

class Tensor(np.ndarray):
    detach = cpu = numpy = lambda self: self

class CycleGANModel:
    isTrain = True

    def optimize_parameters(self):
        self.real_A = self.real_B = np.arange(24.0).reshape(1, 3, 2, 4).view(Tensor)
        self.fake_A = self.fake_B = self.rec_A = self.rec_B = self.real_A + 1

    test = optimize_parameters

    def get_current_losses(self):
        return {"G_A": 0.5}
""",
    "train.py": """
import sys
from pathlib import Path
from models.cycle_gan_model import CycleGANModel

assert __name__ == "__main__"
words = sys.argv
folder = Path(words[words.index("--checkpoints_dir") + 1], words[words.index("--name") + 1])
(folder / "words").write_text(" ".join(words))
for path in [] if (folder / "stuck").exists() else folder.glob("*.pth"):
    path.write_bytes(path.read_bytes() + b"more")
for _ in range(3):
    CycleGANModel().optimize_parameters()
sys.exit(3) if "5" in words else None
""",
}


@pytest.fixture
def theirs(tmp_path):
    """A checkout that behaves as theirs; its folder `name` has four files."""
    for name, text in CODE.items():
        path = tmp_path / "code" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "name").mkdir()
    for network in ("G_A", "G_B", "D_A", "D_B"):
        (tmp_path / "name" / f"latest_net_{network}.pth").write_bytes(b"0")
    return authors_code.Theirs(
        tmp_path / "code", sys.executable, tmp_path, tmp_path, authors_code.CASES["resnet_b_to_a"]
    )


def test_a_script_of_theirs_runs_as_it_is_and_is_recorded(theirs, tmp_path):
    record = authors.went_on(theirs, tmp_path / "name")
    words = (tmp_path / "name" / "words").read_text()
    assert words.startswith("train.py --dataroot")
    for known in ("--gpu_ids -1", "--niter 2", "--direction BtoA", "--continue_train"):
        assert known in words
    assert "--n_epochs" not in words
    assert {name.split("/")[0] for name in record} == {"0", "1"}
    assert record["1/loss_G_A"] == 0.5
    assert record["0/fake_B"].shape == (1, 2, 4, 3)
    assert record["0/fake_B"][0, 0, 1].tolist() == [2, 10, 18]


def test_a_training_that_fails_or_writes_nothing_is_an_error(theirs, tmp_path):
    with pytest.raises(RuntimeError, match="ended with 3, see"):
        theirs.train("name", "--n", "5")
    (tmp_path / "name" / "stuck").touch()
    with pytest.raises(RuntimeError, match="did not go on"):
        authors.went_on(theirs, tmp_path / "name")


def test_b_to_a_is_turned_with_its_weights():
    turned = authors_code.CASES["resnet_b_to_a"].a_to_b()
    assert turned.options[:4] == ("--direction", "AtoB", "--lambda_B", "7")
    assert not turned.is_b_to_a
    assert authors_code.CASES["unet"].a_to_b() == authors_code.CASES["unet"]


def test_bounds():
    good = authors.Differences(0.0, 2e-6, 1e-6, 1e-3)
    assert good.within_bounds
    assert not dataclasses.replace(good, step_images=float("nan")).within_bounds
    assert not dataclasses.replace(good, first_losses=1e-3).within_bounds
    assert authors.row("U-Net", "back", good) == (
        "| U-Net | back | 0.0e+00 | 2.0e-06 | 1.0e-06 | 1.0e-03 | yes |"
    )


def test_a_loss_that_is_off_is_found():
    ours = {"G_A": 0.5, "D_A": -2.0}
    record = {"1/loss_G_A": 0.5, "1/loss_D_A": -2.002, "0/loss_D_A": 7.0}
    assert authors.losses_apart(ours, record, 1) == pytest.approx(0.002 / 2.002)


@pytest.mark.usefixtures("one_thread")
def test_a_training_of_the_twin_is_within_the_bounds(tmp_path):
    """Batch norm differs in a step and a test; BtoA turns all names."""
    from tests.helpers import official_torch, torch_steps

    networks = official_torch.four_networks(norm="batch")
    folder = official_torch.save_folder(tmp_path / "folder", networks)
    (folder / "train_opt.txt").write_text(
        "direction: BtoA\nlambda_A: 7.0\nlr: 0.001\npool_size: 2\n---- End ----\n"
    )
    images = tiny.folder(tmp_path / "images")
    words = [f"{folder}", f"{tmp_path / 'run'}", f"--data.source={images}", *TINY, "--quiet"]
    assert convert.main(words) == 0
    tested, trained = torch_steps.record(networks, lambda_a=7.0, lambda_b=10.0, rate=1e-3)
    case = authors_code.Case("twin", options=("--direction", "BtoA"))
    found = authors.compare(tmp_path / "run", tested, trained, case)
    assert found.within_bounds, found
