"""Shared by all tests: quiet TensorFlow, fixed seeds."""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import pytest

# Beside TensorFlow, PyTorch must not load it (see cyclegan_tf.interop.torch_files.require).
sys.modules.setdefault("triton", None)


def pytest_collection_modifyitems(items):
    """Modules of slow tests only come first: one of them left to the end would keep one worker busy
    and one idle."""

    def quick(item):
        marks = getattr(item.module, "pytestmark", [])
        return "slow" not in {mark.name for mark in (marks if isinstance(marks, list) else [marks])}

    items.sort(key=quick)


@pytest.fixture(autouse=True)
def _fixed_seed():
    keras.utils.set_random_seed(1234)


@pytest.fixture
def one_thread():
    """PyTorch's threads wait for each other by spinning, which takes minutes where tests run side
    by side."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
