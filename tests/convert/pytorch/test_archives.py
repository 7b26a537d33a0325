"""Damage, programs and pointers in the place of a PyTorch checkpoint."""

import zipfile

import numpy as np
import pytest

from cyclegan_tf.convert.pytorch import archives, files
from cyclegan_tf.errors import UserError
from tests.helpers.errors import refused

torch = pytest.importorskip("torch", reason='needs pip install ".[torch]"')


def weights():
    rng = np.random.default_rng(0)
    return {
        f"model.{i}.weight": torch.from_numpy(rng.normal(size=(9, 7)).astype(np.float32))
        for i in range(4)
    }


def saved(path, **options):
    torch.save(weights(), path, **options)
    return path


@pytest.fixture(name="unchecked")
def _unchecked(tmp_path):
    """A checkpoint whose checksums PyTorch was asked not to compute."""
    torch.serialization.set_crc32_options(False)
    try:
        return saved(tmp_path / "unchecked.pth")
    finally:
        torch.serialization.set_crc32_options(True)


def is_same(arrays):
    truth = weights()
    return list(arrays) == list(truth) and all(
        np.array_equal(arrays[name], truth[name].numpy()) for name in truth
    )


def test_no_flipped_bit_becomes_another_weight(tmp_path):
    whole = saved(tmp_path / "n.pth").read_bytes()
    rng = np.random.default_rng(1)
    refusals = 0
    for place in rng.choice(8 * len(whole), 300, replace=False):
        content = bytearray(whole)
        content[place // 8] ^= 1 << place % 8
        (tmp_path / "n.pth").write_bytes(content)
        try:
            assert is_same(files.read_state_dict(tmp_path / "n.pth")), place
        except UserError:
            refusals += 1
    assert refusals > 100  # the rest lies in padding and in fields that nobody reads


def test_a_changed_weight_is_refused(tmp_path):
    path = saved(tmp_path / "n.pth")
    value = weights()["model.2.weight"].numpy().tobytes()
    content = path.read_bytes()
    assert content.count(value) == 1
    path.write_bytes(content.replace(value, value[:40] + b"\1" + value[41:]))
    assert not is_same(torch.load(path, weights_only=True))  # PyTorch itself sees nothing
    with refused("unreadable", path, match=r"n\.pth is damaged or not a PyTorch checkpoint"):
        files.read_state_dict(path)


def test_a_checksum_of_zero_was_not_computed(unchecked):
    with zipfile.ZipFile(unchecked) as archive:
        assert {part.CRC for part in archive.infolist()} == {0}
    assert is_same(files.read_state_dict(unchecked))


def test_which_files_have_checksums(tmp_path, unchecked):
    assert archives.has_checksums(saved(tmp_path / "new.pth"))
    assert not archives.has_checksums(unchecked)
    old = saved(tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert not archives.has_checksums(old)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch.jit, from PyTorch 2.13 on
def test_a_torchscript_program_is_named(tmp_path):
    path = tmp_path / "n.pt"
    program = torch.jit.trace(torch.nn.Conv2d(1, 1, 3), torch.zeros(1, 1, 5, 5))
    torch.jit.save(program, path)
    with refused("unsupported", path, match=r"is a TorchScript program.*torch\.jit\.load"):
        files.read_state_dict(path)


def test_a_git_lfs_pointer_is_named(tmp_path):
    path = tmp_path / "n.pth"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 45\n")
    with refused("unreadable", path, match="is a Git LFS pointer.*git lfs pull"):
        files.read_state_dict(path)
