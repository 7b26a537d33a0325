"""PyTorch's files: old and new, wrapped and plain; code and damage are refused."""

import importlib.util
import os
import pickle
import sys
from collections import OrderedDict

import numpy as np
import pytest

from cyclegan_tf.convert.pytorch import files
from cyclegan_tf.errors import UserError
from tests.helpers.errors import refused

torch = pytest.importorskip("torch", reason='needs pip install ".[torch]"')


def weights():
    rng = np.random.default_rng(0)
    return OrderedDict(
        (name, torch.from_numpy(rng.normal(size=shape).astype(np.float32)))
        for name, shape in {
            "model.1.weight": (4, 3, 7, 7),
            "model.1.bias": (4,),
            "model.10.bias": (2,),
        }.items()
    )


def assert_same(arrays, tensors, dtype=np.float32):
    assert list(arrays) == list(tensors)
    for name, tensor in tensors.items():
        assert arrays[name].dtype == dtype
        np.testing.assert_array_equal(arrays[name], tensor.float().numpy())


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before_1.6"])
def test_both_kinds_of_files_are_read(tmp_path, zipped):
    path = tmp_path / "latest_net_G.pth"
    torch.save(weights(), path, _use_new_zipfile_serialization=zipped)
    assert (path.read_bytes()[:2] == b"PK") is zipped
    assert_same(files.read_state_dict(path), weights())


def test_a_whole_networks_state_is_read_with_its_counters(tmp_path):
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    torch.save(network.state_dict(), tmp_path / "n.pth")  # carries metadata beside its tensors
    arrays = files.read_state_dict(tmp_path / "n.pth")
    assert list(arrays) == list(network.state_dict())
    assert arrays["1.num_batches_tracked"].dtype == np.int64
    assert arrays["1.num_batches_tracked"].shape == ()


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module.module.", "_orig_mod.module."])
def test_names_of_wrapped_networks_lose_their_first_part(tmp_path, prefix):
    torch.save({f"{prefix}{name}": value for name, value in weights().items()}, tmp_path / "n.pth")
    assert_same(files.read_state_dict(tmp_path / "n.pth"), weights())
    mixed = {"module.a": torch.ones(1), "b": torch.ones(1)}  # then it is a name like any other
    torch.save(mixed, tmp_path / "n.pth")
    assert list(files.read_state_dict(tmp_path / "n.pth")) == ["module.a", "b"]


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model"])
def test_weights_are_found_among_other_things(tmp_path, wrapper):
    torch.save({"epoch": 3, wrapper: weights(), "loss": 0.5}, tmp_path / "n.pth")
    assert_same(files.read_state_dict(tmp_path / "n.pth"), weights())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(tmp_path, dtype):
    stored = OrderedDict((name, value.to(dtype)) for name, value in weights().items())
    torch.save(stored, tmp_path / "n.pth")
    assert_same(files.read_state_dict(tmp_path / "n.pth"), stored)


class Trap:
    """Makes a file when it is unpickled by a reader that trusts it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"echo caught > '{self.path}'",)


@pytest.mark.parametrize("kind", ["zip", "before_1.6", "plain"])
def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path, kind):
    trace, path = tmp_path / "trace", tmp_path / "n.pth"
    trapped = {**weights(), "extra": Trap(trace)}
    if kind == "plain":
        path.write_bytes(pickle.dumps({"a": Trap(trace)}, protocol=2))
    else:
        torch.save(trapped, path, _use_new_zipfile_serialization=kind == "zip")
    with pytest.raises(
        UserError, match=r"n\.pth holds more than weights: it asks for (posix|nt)\.system"
    ) as caught:
        files.read_state_dict(path)
    assert not trace.exists()
    assert "\n" not in str(caught.value)
    if kind != "plain":  # the trap is a real one
        torch.load(path, weights_only=False)
        assert trace.exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.7, 0.98])
def test_a_file_cut_short_is_one_sentence(tmp_path, zipped, share):
    torch.save(weights(), tmp_path / "whole.pth", _use_new_zipfile_serialization=zipped)
    whole = (tmp_path / "whole.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: int(share * len(whole))])
    with refused("unreadable", tmp_path / "cut.pth") as caught:
        files.read_state_dict(tmp_path / "cut.pth")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"just words\n", b"\x89PNG\r\n\x1a\n", bytes(range(256)) * 9, b"PK\x03\x04"]
)
def test_other_files_are_one_sentence(tmp_path, content):
    (tmp_path / "n.pth").write_bytes(content)
    with pytest.raises(UserError, match=r"n\.pth is damaged or not a PyTorch checkpoint"):
        files.read_state_dict(tmp_path / "n.pth")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torch.ones(3), "holds no weights by name but something of type Tensor"),
        ([torch.ones(3)], "holds no weights by name but something of type list"),
        ({}, "holds no weights by name but nothing"),
        ({"a": torch.ones(1), "b": 3}, "holds something of type int under 'b'"),
        ({1: torch.ones(1)}, "under 1, not only weights"),
        ({"a": torch.eye(3).to_sparse()}, "holds a in a form that is not supported"),
    ],
    ids=["tensor", "list", "empty", "number", "no_name", "sparse"],
)
def test_what_is_no_state_dict_is_one_sentence(tmp_path, content, message):
    torch.save(content, tmp_path / "n.pth")
    with pytest.raises(UserError, match=message):
        files.read_state_dict(tmp_path / "n.pth")


def test_no_file_and_no_torch_are_one_sentence(tmp_path, monkeypatch):
    with refused("missing", tmp_path / "nowhere.pth"):
        files.read_state_dict(tmp_path / "nowhere.pth")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch" else find(name)
    )
    message = r'PyTorch checkpoints need torch: pip install "\.\[torch\]"'
    with pytest.raises(UserError, match=message):
        files.read_state_dict(tmp_path / "n.pth")
    with pytest.raises(UserError, match=message):
        files.write_state_dict(tmp_path / "n.pth", {"a": np.ones(1)})
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_is_what_torch_would_write(tmp_path):
    kernel = np.random.default_rng(0).normal(
        size=(3, 3, 2, 4)
    )  # float64, and not in PyTorch's order of memory
    arrays = {
        "z.weight": kernel.transpose(3, 2, 0, 1),
        "a.running_mean": np.ones(2),
        "n": np.array(5, np.int32),
    }
    files.write_state_dict(tmp_path / "n.pth", arrays)
    assert (tmp_path / "n.pth").read_bytes()[:2] == b"PK"
    loaded = torch.load(tmp_path / "n.pth", weights_only=True)
    assert type(loaded) is OrderedDict
    assert list(loaded) == ["z.weight", "a.running_mean", "n"]
    assert [value.dtype for value in loaded.values()] == [torch.float32, torch.float32, torch.int64]
    assert loaded["n"].shape == ()
    assert loaded["z.weight"].is_contiguous()
    for name, array in arrays.items():
        np.testing.assert_array_equal(
            loaded[name].numpy(), array.astype(loaded[name].numpy().dtype)
        )


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    (tmp_path / "n.pth").write_bytes(b"before")

    def fail(tensors, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(UserError, match=r"n\.pth cannot be written \(No space left on device\)"):
        files.write_state_dict(tmp_path / "n.pth", {"a": np.ones(1)})
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("n.pth", b"before")]
    with pytest.raises(UserError, match="cannot be written"):
        files.write_state_dict(tmp_path / "nowhere" / "n.pth", {"a": np.ones(1)})


def test_triton_is_kept_out_where_tensorflow_is(monkeypatch):
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow", sys)
    files.require_torch()
    assert sys.modules["triton"] is None
    monkeypatch.delitem(sys.modules, "triton")
    monkeypatch.delitem(sys.modules, "tensorflow")
    files.require_torch()
    assert "triton" not in sys.modules
