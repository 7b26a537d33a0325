"""Files of weights: what they hold, and that nothing in them is run."""

import json
import os
import pickle
import zipfile

import keras
import numpy as np
import pytest

from cyclegan_tf.errors import UserError
from cyclegan_tf.inspect import weight_files
from cyclegan_tf.inspect.inspector import inspect_path
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.networks.builders import build_discriminator, build_generator
from tests.helpers.errors import refused


def small_generator(name="generator_xy"):
    return build_generator("resnet_6blocks", filters=2, blocks=1, seed=0, name=name)


class TestKerasFile:
    def test_one_network(self, tmp_path):
        network = small_generator()
        network.save(tmp_path / "g.keras")
        report = weight_files.inspect_keras_file(tmp_path / "g.keras", 16)
        (row,) = report["networks"]
        assert row["name"] == "generator_xy"
        assert row["parameters"] == sum(int(np.prod(v.shape)) for v in network.trainable_variables)
        assert report["made_with_keras"] == keras.__version__
        assert "`import cyclegan_tf`" in report["notes"][0]
        assert report["size_bytes"] == (tmp_path / "g.keras").stat().st_size
        assert json.loads(json.dumps(report)) == report

    def test_a_whole_cyclegan_has_its_four_networks(self, tmp_path):
        model = CycleGAN(
            small_generator(),
            small_generator("generator_yx"),
            None,
            build_discriminator(filters=1, n_layers=1, name="discriminator_y"),
            pool_size_images=0,
        )
        model.compile(
            keras.optimizers.Adam(), keras.optimizers.Adam(), loss_weights={"adversarial_x": 0.0}
        )
        model.save(tmp_path / "c.keras")
        rows = weight_files.inspect_keras_file(tmp_path / "c.keras", 16)["networks"]
        assert [row["name"] for row in rows] == ["generator_xy", "generator_yx", "discriminator_y"]
        assert rows[2]["architecture"].startswith("PatchGAN")

    def test_code_in_a_file_is_not_run(self, tmp_path):
        trace = tmp_path / "ran"
        inputs = keras.Input((8, 8, 3))
        outputs = keras.layers.Lambda(eval(f"lambda x: (open({str(trace)!r}, 'w').close(), x)[1]"))(
            inputs
        )
        network = keras.Model(inputs, outputs)
        network.save(tmp_path / "evil.keras")
        assert (
            trace.exists()
        )  # it does run where it is trusted: the file below could have done the same
        trace.unlink()
        with pytest.raises(UserError, match=r"evil\.keras cannot be loaded"):
            weight_files.inspect_keras_file(tmp_path / "evil.keras", 16)
        assert not trace.exists()

    @pytest.mark.parametrize(
        "spoil", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"a text"]
    )
    def test_a_damaged_file(self, tmp_path, spoil):
        path = tmp_path / "g.keras"
        small_generator().save(path)
        path.write_bytes(spoil(path.read_bytes()))
        with refused("unreadable", path) as caught:
            weight_files.inspect_keras_file(path, 16)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("name", ["metadata.json", "config.json"])
    def test_one_that_would_fill_the_memory(self, tmp_path, name):
        path = tmp_path / "g.keras"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, bytes(2**21))
        with refused("memory", path):
            weight_files.inspect_keras_file(path, 16)

    def test_one_of_keras_2_goes_to_the_reader_of_old_files(self, tmp_path, monkeypatch):

        path = tmp_path / "old.keras"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(
                "metadata.json", json.dumps({"keras_version": "2.15.0", "date_saved": "2024-01-01"})
            )
        monkeypatch.setattr(
            "cyclegan_tf.convert.keras2.open.open_model",
            lambda given: (small_generator(given.name[:3]), ["was old"]),
        )
        report = weight_files.inspect_keras_file(path, 16)
        assert (report["networks"][0]["name"], report["notes"][0], report["made_with_keras"]) == (
            "old",
            "was old",
            "2.15.0",
        )


def test_hdf5_of_keras_2(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "old.h5"
    config = {
        "class_name": "Functional",
        "config": {
            "name": "old",
            "layers": [
                {"class_name": "InputLayer", "name": "in", "inbound_nodes": [],
                 "config": {"batch_input_shape": [None, None, None, 3], "dtype": "float32",
                 "name": "in"}},
                {"class_name": "Conv2D", "name": "conv", "inbound_nodes": [[["in", 0, 0, {}]]],
                 "config": {"name": "conv", "dtype": "float32", "filters": 2, "kernel_size": [3, 3],
                            "strides": [1, 1], "padding": "same", "use_bias": False,
                            "activation": "linear"}},
            ],
            "input_layers": [["in", 0, 0]],
            "output_layers": [["conv", 0, 0]],
        },
    }  # fmt: skip
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = "2.15.0", "tensorflow"
        file.attrs["model_config"] = json.dumps(config)
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"in", b"conv"]
        weights.attrs["keras_version"], weights.attrs["backend"] = "2.15.0", "tensorflow"
        weights.create_group("in").attrs["weight_names"] = np.array([], "S1")
        conv = weights.create_group("conv")
        conv.attrs["weight_names"] = [b"conv/kernel:0"]
        conv.create_dataset("conv/kernel:0", data=np.ones((3, 3, 3, 2), np.float32))
    report = weight_files.inspect_hdf5(path, 8)
    assert report["made_with_keras"] == "2.15.0"
    assert report["networks"][0]["parameters"] == 54
    assert report["networks"][0]["macs"] == 64 * 54
    assert report["notes"] == ["python -m cyclegan_tf.convert opens it"]


class TestTorch:
    @staticmethod
    def pixel_discriminator():
        """Entries of the official pixel discriminator, instance norm, 4 filters."""
        torch = pytest.importorskip("torch")
        shapes = {
            "net.0.weight": (4, 3, 1, 1), "net.0.bias": (4,), "net.2.weight": (8, 4, 1, 1),
            "net.2.bias": (8,),
            "net.5.weight": (1, 8, 1, 1), "net.5.bias": (1,),
        }  # fmt: skip
        return torch, {name: torch.zeros(shape) for name, shape in shapes.items()}

    def test_a_checkpoint(self, tmp_path):
        torch, entries = self.pixel_discriminator()
        torch.save(entries, tmp_path / "latest_net_D_A.pth")
        report = weight_files.inspect_torch_file(tmp_path / "latest_net_D_A.pth", 16)
        (row,) = report["networks"]
        assert (row["parameters"], row["official_name"]) == (12 + 4 + 32 + 8 + 8 + 1, "pixel")
        assert (row["receptive_field_px"], row["macs"]) == (1, 256 * (12 + 32 + 8))
        assert json.loads(json.dumps(report)) == report

    def test_a_folder_of_them(self, tmp_path):
        torch, entries = self.pixel_discriminator()
        for name in ("latest_net_D_A.pth", "latest_net_D_B.pth"):
            torch.save(entries, tmp_path / name)
        report = weight_files.inspect_torch_folder(tmp_path, 16)
        assert [row["name"] for row in report["networks"]] == [
            "latest_net_D_A.pth",
            "latest_net_D_B.pth",
        ]

    def test_where_weights_leave_the_norm_open_it_can_be_given(self, tmp_path):
        torch, entries = self.pixel_discriminator()
        del entries["net.2.bias"], entries["net.5.bias"]
        torch.save(entries, tmp_path / "latest_net_D_A.pth")
        for read, path in (
            (weight_files.inspect_torch_file, tmp_path / "latest_net_D_A.pth"),
            (weight_files.inspect_torch_folder, tmp_path),
        ):
            with pytest.raises(UserError, match="give --norm instance"):
                read(path, 16)
            assert read(path, 16, "instance")["networks"][0]["official_name"] == "pixel"
        report = inspect_path(tmp_path / "latest_net_D_A.pth", 16, "instance")
        assert (
            report["networks"]
            == weight_files.inspect_torch_file(tmp_path / "latest_net_D_A.pth", 16, "instance")[
                "networks"
            ]
        )
        assert inspect_path(tmp_path, 16, "instance")["kind"] == "folder of PyTorch checkpoints"

    def test_a_pickle_that_runs_code_is_refused(self, tmp_path):
        pytest.importorskip("torch")
        trace, path = tmp_path / "ran", tmp_path / "evil.pth"

        class Evil:
            def __reduce__(self):
                return os.mkdir, (str(trace),)

        path.write_bytes(pickle.dumps(Evil()))
        pickle.loads(path.read_bytes())
        assert trace.exists()  # it would have
        trace.rmdir()
        with pytest.raises(UserError):
            weight_files.inspect_torch_file(path, 16)
        assert not trace.exists()


def test_what_convert_would_refuse_is_not_sent_to_it(tmp_path, monkeypatch):
    vectors = keras.Input((10,))
    network = keras.Model(vectors, keras.layers.Dense(4)(vectors))
    monkeypatch.setattr("cyclegan_tf.convert.keras2.open.open_model", lambda path: (network, []))
    (note,) = weight_files.inspect_keras_2(tmp_path / "a.h5", 16)["notes"]
    assert note.startswith("python -m cyclegan_tf.convert refuses it: ")
    assert "takes (N, 10) and gives (N, 4)" in note
