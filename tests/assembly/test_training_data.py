"""From config to images."""

import types

import numpy as np
import pytest

from cyclegan_tf.assembly import training_data
from cyclegan_tf.config.experiment import Data, Experiment, Generator
from cyclegan_tf.images.ranges import ValueRange
from tests.helpers import parquet_sets, tiny
from tests.helpers.errors import refused


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return tiny.folder(tmp_path_factory.mktemp("images"))


def experiment(source, **more):
    return Experiment(data=Data(source=str(source), load_size_px=18, crop_size_px=16, **more))


@pytest.mark.parametrize(
    ("architecture", "divisor"), [("resnet_6blocks", 4), ("unet_128", 128), ("unet_256", 256)]
)
def test_the_transform_has_the_configs_sizes_and_the_networks_divisor(architecture, divisor):
    e = Experiment(
        data=Data(source="x", load_size_px=300, crop_size_px=256, flip=False),
        generator=Generator(architecture=architecture),
    )
    transform = training_data.build_transform(e)
    assert (transform.load_size_px, transform.crop_size_px, transform.flip) == (300, 256, False)
    assert transform.size_divisor_px == divisor


def test_the_divisor_fits_the_networks_in_files_and_the_one_that_is_built(monkeypatch):
    divisors = {"x.keras": 6, "y.keras": 10}
    monkeypatch.setattr(
        training_data.network_files,
        "facts",
        lambda path: types.SimpleNamespace(size_divisor_px=divisors[path.name]),
    )
    one, two = (
        Experiment(data=Data(source="x"), generator=Generator(**files))
        for files in (
            {"init_file_xy": "x.keras"},
            {"init_file_xy": "x.keras", "init_file_yx": "y.keras"},
        )
    )
    assert training_data.build_transform(one).size_divisor_px == 12  # 6, and 4 of the ResNet
    assert training_data.build_transform(two).size_divisor_px == 30


class TestOpenSource:
    def test_a_folder_and_two_plain_folders(self, source):
        found = training_data.open_source(experiment(source))
        assert [len(images) for images in (found.train_x, found.train_y, found.test_x)] == [5, 4, 2]
        plain = {"x_dir": str(source / "trainA"), "y_dir": str(source / "trainB")}
        found = training_data.open_source(experiment("", test_fraction=0.0, **plain))
        assert (len(found.train_x), len(found.train_y), len(found.test_x)) == (5, 4, 0)

    def test_two_plain_folders_keep_their_recorded_split(self, source):
        plain = {"x_dir": str(source / "trainA"), "y_dir": str(source / "trainB")}
        e = experiment("", test_fraction=0.0, **plain)
        recorded = training_data.open_source(e).record()
        recorded["test_x"] = [recorded["train_x"].pop()]
        assert training_data.open_source(e, recorded).record() == recorded

    def test_images_are_read_through_the_ranges_of_their_domains(self, tmp_path):
        scans = tiny.scans(tmp_path)
        with refused("unsupported", "data.range_x"):
            training_data.open_source(experiment(scans))
        e = experiment(scans, range_x="auto", range_y=(0.5, 1.5), range_percentiles=(0, 100))
        data, notes = training_data.open_training_data(e, tmp_path / "cache")
        known = data.source.test_x.value_range
        assert (known.dtype, known.low < -900, known.high > 300) == ("int16", True, True)
        assert data.source.train_y.value_range == ValueRange(0.5, 1.5, "float32")
        assert any(note.startswith("X is trained on") and "; 0.00%" in note for note in notes)
        decided = data.decided(e)
        assert decided.data.channels_x == decided.data.channels_y == 1
        assert decided.data.range_x == (known.low, known.high)
        again, _ = training_data.open_training_data(decided, tmp_path / "cache")
        assert again.record() == data.record()
        assert data.record()["types"] == {"x": "int16", "y": "float32"}
        real_x, real_y = next(data.batches(0, 1))
        assert real_x.shape == real_y.shape == (1, 16, 16, 1)
        assert np.abs(real_y).max() == 1  # clipped

    def test_the_demo_has_three_channels(self):
        with refused("mismatch", "data.channels_x") as caught:
            training_data.open_source(experiment("demo", channels_x=1, channels_y=1))
        assert (caught.value.code, caught.value.field) == ("mismatch", "data.channels_x")
        assert len(training_data.open_source(experiment("demo")).train_x)

    def test_a_missing_folder(self, tmp_path):
        with refused("missing", "data.source") as caught:
            training_data.open_source(experiment(tmp_path / "nowhere"))
        assert (caught.value.code, caught.value.field) == ("missing", "data.source")


class TestOpenTrainingData:
    def test_caches_hold_every_training_image(self, source, tmp_path):
        data, notes = training_data.open_training_data(experiment(source), tmp_path)
        assert notes == []
        assert (len(data.cache_x), len(data.cache_y), data.order.steps_per_epoch) == (5, 4, 5)
        assert data.transform == training_data.build_transform(experiment(source))

    def test_cache_in_place_of_the_experiments(self, source, tmp_path):
        data, _ = training_data.open_training_data(experiment(source), tmp_path, cache="lazy")
        assert (data.cache_x.kind, data.cache_y.kind) == ("lazy", "lazy")

    def test_notes_name_enlarged_images_and_other_images_than_recorded(self, source, tmp_path):
        e = Experiment(
            data=Data(source=str(source), preprocess="crop", load_size_px=32, crop_size_px=32)
        )
        recorded = training_data.open_source(e).record()
        _, notes = training_data.open_training_data(e, tmp_path, recorded)
        assert notes == [
            "5 of 5 images of X are smaller than the crop and were enlarged",
            "4 of 4 images of Y are smaller than the crop and were enlarged",
        ]
        recorded["train_x"] = recorded["train_x"][1:]
        _, notes = training_data.open_training_data(experiment(source), tmp_path, recorded)
        assert len(notes) == 1
        assert notes[0].startswith("the images are not those this run began with")

    def test_a_batch_larger_than_the_larger_domain(self, source, tmp_path):
        with refused("invalid", "data.batch_size") as caught:
            training_data.open_training_data(experiment(source, batch_size=6), tmp_path)
        assert caught.value.field == "data.batch_size"


def test_a_set_of_the_hub_has_its_own_test_split_or_is_split_as_plain_folders(
    tmp_path, monkeypatch
):
    pytest.importorskip("pyarrow")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    parquet_sets.write(tmp_path / "set/data/train-00000-of-00001.parquet", parquet_sets.pairs(10))
    asked = Experiment(data=Data(source=f"hf:{tmp_path / 'set'}", test_fraction=0.2))
    source = training_data.open_source(asked)
    assert [len(one) for one in (source.train_x, source.test_x)] == [8, 2]
    assert source.description.startswith(f"hf:{tmp_path / 'set'}/trainA and ")
    assert training_data.open_source(asked, source.record()).record() == source.record()
    parquet_sets.write(tmp_path / "set/data/test-00000-of-00001.parquet", parquet_sets.pairs(3))
    source = training_data.open_source(asked)
    assert [len(one) for one in (source.train_x, source.test_x)] == [10, 3]
    assert source.test_y.read(0)[0, 0, 0] == 100
