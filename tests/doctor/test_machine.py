"""Facts of a machine, out of files and programs of which this one has not all."""

import subprocess

import pytest
import tensorflow as tf

from cyclegan_tf.doctor import machine


def test_this_processor():
    found = machine.processor()
    assert found["name"]
    assert found["cores"] >= 1
    assert found["memory_gib"] is None or found["memory_gib"] >= found["free_memory_gib"] > 0
    assert set(found["features"]) <= set(machine.FEATURES.values())


def test_packages_that_are_not_installed_are_none(monkeypatch):
    monkeypatch.setattr(machine, "PACKAGES", ("tensorflow", "no-such-package"))
    assert set(machine.packages()) == {"python", "tensorflow", "no-such-package"}
    assert machine.packages()["no-such-package"] is None


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (
            "NVIDIA H100, 570.124, 81559\n",
            [{"name": "NVIDIA H100", "driver": "570.124", "memory_gib": 79.6}],
        ),
        ("Some GPU, 1.0, [N/A]\n", [{"name": "Some GPU", "driver": "1.0", "memory_gib": None}]),
        ("No devices were found\n", []),
        (None, []),
    ],
)
def test_gpus_that_the_driver_knows(monkeypatch, output, expected):
    def run(command, **_):
        if output is None:
            raise subprocess.CalledProcessError(9, command)
        return subprocess.CompletedProcess(command, 0, stdout=output)

    monkeypatch.setattr(machine.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(machine.subprocess, "run", run)
    assert machine.gpus_of_the_driver() == expected


def test_no_driver_no_gpus(monkeypatch):
    monkeypatch.setattr(machine.shutil, "which", lambda name: None)
    assert machine.gpus_of_the_driver() == []


def test_gpus_that_tensorflow_sees(monkeypatch):
    details = {"device_name": "NVIDIA H100", "compute_capability": (9, 0)}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda _: details)
    expected = {"name": "NVIDIA H100", "compute_capability": "9.0"}
    assert machine.gpus_of_tensorflow() == [expected]


def test_libraries_of_cuda_are_looked_for_in_packages_and_in_the_system(monkeypatch, tmp_path):
    build = {"is_cuda_build": True, "cuda_version": "12.5.1", "cudnn_version": "9"}
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: build)
    loaded = []

    def load(name):
        loaded.append(name)
        if "cublas" in name:
            raise OSError(name)

    class Spec:
        submodule_search_locations = (str(tmp_path),)

    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libcudart.so.12").touch()
    monkeypatch.setattr(machine, "find_spec", lambda name: Spec if "runtime" in name else None)
    monkeypatch.setattr(machine.ctypes, "CDLL", load)
    found = machine.cuda()
    assert found["built_for"] == "CUDA 12.5.1, cuDNN 9"
    assert found["missing"] == ["libcublas.so.12"]
    assert loaded == ["libcublas.so.12", "libcudnn.so.9"]
    monkeypatch.setattr(tf.sysconfig, "get_build_info", lambda: {"is_cuda_build": False})
    assert machine.cuda() == {"built_for": None, "installed": {}, "missing": []}
