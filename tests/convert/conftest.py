"""Four networks of the official PyTorch code, their folder, and the run it becomes."""

import pytest

from cyclegan_tf.convert import command
from tests.convert.shared import TINY
from tests.helpers import tiny


@pytest.fixture(scope="package")
def made():
    """The four networks by their official names."""
    pytest.importorskip("torch", reason='needs pip install ".[torch]"')
    from tests.helpers import official_torch

    return official_torch.four_networks()


@pytest.fixture(scope="package")
def given(made, tmp_path_factory):
    """The folder of their files."""
    from tests.helpers import official_torch

    return official_torch.save_folder(tmp_path_factory.mktemp("official") / "checkpoints", made)


@pytest.fixture(scope="package")
def images(tmp_path_factory):
    """trainA, trainB, testA, testB."""
    return tiny.folder(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="package")
def run(given, images, tmp_path_factory):
    """The run directory that the folder becomes."""
    target = tmp_path_factory.mktemp("runs") / "converted"
    assert command.main([str(given), str(target), f"--data.source={images}", *TINY, "--quiet"]) == 0
    return target
