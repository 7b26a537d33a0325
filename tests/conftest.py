"""Shared by all tests: quiet TensorFlow, fixed seeds."""

import functools
import gc
import logging
import os
import shutil
import sys
from pathlib import Path
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
# Of tiny networks and two workers on two cores: more threads wait for each other by spinning, an
# eighth of the tests' time.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import pytest
from filelock import FileLock

from tests.helpers import quicker

quicker.install()

# Beside TensorFlow, PyTorch must not load it (see cyclegan_tf.convert.pytorch.files.require).
sys.modules.setdefault("triton", None)


def pytest_collection_finish():
    """What the test modules have imported is never garbage."""
    gc.freeze()


def pytest_collection_modifyitems(items):
    """Modules of slow tests only come first: one of them left to the end would keep one worker busy
    and one idle."""

    def quick(item):
        marks = getattr(item.module, "pytestmark", [])
        return "slow" not in {mark.name for mark in (marks if isinstance(marks, list) else [marks])}

    items.sort(key=quick)


@pytest.fixture(autouse=True)
def _fixed_seed(request):
    # not above: xdist's controller, which runs no test, would wait for them
    import keras
    import tensorflow as tf

    if _uses_tf_random(request.module.__file__):
        keras.utils.set_random_seed(1234)
        return
    # A seed of TensorFlow's own throws away all kernels that eager operations have made.
    with mock.patch.object(tf.random, "set_seed"):
        keras.utils.set_random_seed(1234)


@functools.cache
def _uses_tf_random(file):
    return "tf.random." in Path(file).read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _logging_as_imported():
    """A command logs to the terminal and nowhere else; `caplog` of the next test wants it back, and
    that of this one, where what all share was made by a command just now."""
    _log_as_imported()
    yield
    _log_as_imported()


def _log_as_imported():
    log = logging.getLogger("cyclegan_tf")
    log.handlers, log.propagate = [], True
    log.setLevel(logging.NOTSET)
    # translate_beam raises it to CRITICAL.
    logging.root.setLevel(logging.WARNING)
    # import-linter's own configuration of logging disables what was there before it.
    for each in _our_loggers(len(logging.root.manager.loggerDict)):
        each.disabled = False


@functools.cache
def _our_loggers(known):
    """Those of this package, while so many are known: there are thousands of others."""
    return [
        each
        for name, each in logging.root.manager.loggerDict.items()
        if name.startswith("cyclegan_tf") and isinstance(each, logging.Logger)
    ]


@pytest.fixture
def one_thread():
    """PyTorch's threads wait for each other by spinning, which takes minutes where tests run side
    by side."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """A finished training of 3 steps on the folder `images` beside it; read only.

    Trained once for all workers. A test that writes into a run takes `tiny_run_copy`.
    """
    from tests.helpers import tiny

    shared = Path(tmp_path_factory.getbasetemp())
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with FileLock(shared / "tiny_run.lock"):
        if not (shared / "tiny" / "run").is_dir():
            with quicker.graph_optimizer(True):
                tiny.train_shared(shared / "tiny")
    return shared / "tiny" / "run"


@pytest.fixture
def tiny_run_copy(tiny_run, tmp_path):
    """A copy of `tiny_run` of the test's own."""
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


@pytest.fixture
def step_by_step():
    """Trainings of a few steps, without graphs."""
    with quicker.step_by_step():
        yield


@pytest.fixture(scope="module")
def plain_graphs():
    """Graphs that TensorFlow runs as they are traced: optimizing them takes longer than some ten
    steps.

    For modules whose trainings are compared with each other only; tests/test_end_to_end.py, those
    of several devices and all that start a process train by optimized graphs.
    """
    with quicker.graph_optimizer(False):
        yield
