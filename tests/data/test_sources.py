"""Sources: folders, two plain folders, tensorflow-datasets, the demo."""

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.data import demo
from cyclegan_tf.data.sources import open_demo, open_folder, open_tfds, open_two_folders
from tests.helpers.errors import refused

LIMIT = 10**6


def put(path, value=0, size=(6, 5)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, 0, 0)).save(path)


@pytest.fixture
def root(tmp_path):
    for index, name in enumerate(
        ["trainA/b.png", "trainA/sub/a.JPG", "trainB/c.bmp", "testA/d.gif"]
    ):
        put(tmp_path / name, index)
    (tmp_path / "trainA" / "notes.txt").write_text("not an image")
    return tmp_path


def test_a_folder_is_read_recursively_with_any_mix_of_kinds(root):
    source = open_folder(root, 3, 3, LIMIT)
    assert source.train_x.names == ("trainA/b.png", "trainA/sub/a.JPG")
    assert source.test_x.names == ("testA/d.gif",)
    assert len(source.test_y) == 0
    assert source.train_y.read(0).shape == (5, 6, 3)
    assert source.description.endswith("X 2 train, 1 test; Y 1 train, 0 test")
    assert source.record()["train_y"] == ["trainB/c.bmp"]


@pytest.mark.parametrize(
    ("spoil", "code", "field"),
    [
        (lambda root: root / "nowhere", "missing", "data.source"),
        (lambda root: root / "testA", "missing", "data.source"),
        (lambda root: ((root / "trainB" / "c.bmp").unlink(), root)[1], "missing", "data.source"),
        (
            lambda root: ((root / "trainB" / "x.jpg").write_text("text"), root)[1],
            "unreadable",
            "x.jpg",
        ),
        (lambda root: ((root / "trainB" / "x.jpg").touch(), root)[1], "unreadable", "x.jpg"),
    ],
    ids=["missing", "no layout", "empty", "text", "zero bytes"],
)
def test_a_folder_that_cannot_be_used_is_one_sentence(root, spoil, code, field):
    with refused(["missing", "unreadable"]) as caught:
        open_folder(spoil(root), 3, 3, LIMIT)
    assert caught.value.code == code
    assert caught.value.field.endswith(field)
    assert "\n" not in str(caught.value)


def test_a_bomb_is_refused(root):
    put(root / "trainA" / "huge.png", size=(2000, 1000))
    with refused("unreadable", match=r"huge\.png"):
        open_folder(root, 3, 3, LIMIT)


def test_another_number_of_channels_names_the_option(root):
    for path in [*(root / "trainA").rglob("*.*"), root / "testA" / "d.gif"]:
        path.unlink()
    np.save(root / "trainA" / "five.npy", np.zeros((9, 9, 5), np.uint8))
    with refused("mismatch", "data.channels_x", match="--data.channels_x 5"):
        open_folder(root, 3, 3, LIMIT)
    assert open_folder(root, 5, 3, LIMIT).train_x.read(0).shape == (9, 9, 5)


def test_gray_sets_are_noted_where_color_is_read(root):
    Image.new("L", (6, 5)).save(root / "trainB" / "c.bmp")
    (note,) = open_two_folders(root / "trainA", root / "trainB", 0, 0, 3, 3, LIMIT).notes[1:]
    assert "--data.channels_y 1" in note
    (root / "trainA" / "notes.txt").unlink()
    assert open_two_folders(root / "trainA", root / "trainB", 0, 0, 3, 1, LIMIT).notes == ()


def test_pages_that_are_not_taken_are_noted(root):
    frames = [Image.new("RGB", (6, 5), color) for color in ("red", "blue")]
    frames[0].save(root / "trainA" / "two.tif", save_all=True, append_images=frames[1:])
    (_, note) = open_folder(root, 3, 3, LIMIT).notes
    assert note.startswith("1 files hold more than one page or frame")
    assert "two.tif" in note


def test_files_of_other_kinds_are_noted(root, tmp_path):
    (root / "trainB" / "c.psd").touch()
    notes = open_folder(root, 3, 3, LIMIT).notes
    assert [note.split(": ", 1)[1] for note in notes] == [
        "1 of 3 files are of kinds that are not read and are left out (1 .txt)",
        "1 of 2 files are of kinds that are not read and are left out (1 .psd)",
    ]
    both = open_two_folders(root / "trainA", root / "trainB", 0, 0, 3, 3, LIMIT).notes
    assert both == notes


def test_transparency_is_noted_once(root):
    for name in ("p.png", "q.png"):
        Image.new("RGBA", (5, 5), (1, 2, 3, 4)).save(root / "trainA" / name)
    assert [
        note
        for note in open_folder(root, 3, 3, LIMIT).notes
        if "2 images have transparency" in note
    ]


@pytest.fixture
def two(tmp_path):
    for domain, count in (("x", 20), ("y", 10)):
        for index in range(count):
            put(tmp_path / domain / f"{index:02d}.png", index)
    return tmp_path / "x", tmp_path / "y"


def split(two, seed=0, recorded=None, fraction=0.2):
    return open_two_folders(*two, fraction, seed, 3, 3, LIMIT, recorded)


def test_two_plain_folders_are_split_the_same_way_every_time(two):
    source = split(two)
    assert [len(images.names) for images in (source.train_x, source.train_y, source.test_x,
    source.test_y)] == [
        16, 8, 4, 2
    ]  # fmt: skip
    assert not set(source.train_x.names) & set(source.test_x.names)
    assert split(two).record() == source.record()
    assert split(two, seed=1).record() != source.record()


def test_a_recorded_split_holds_when_images_are_added(two):
    source = split(two)
    for index in range(20, 40):
        put(two[0] / f"{index}.png")
    again = split(two, recorded=source.record())
    assert again.test_x.names == source.test_x.names
    assert len(again.train_x) == 36


def test_one_image_stays_for_training(two):
    for path in list(two[1].iterdir())[1:]:
        path.unlink()
    assert [len(split(two, fraction=0.9).train_y), len(split(two, fraction=0.9).test_y)] == [1, 0]


def test_the_demo_is_unpaired_in_training_and_paired_in_the_test_split():
    source = open_demo()
    assert (len(source.train_x), len(source.test_y)) == (demo.TRAIN_IMAGES, demo.TEST_IMAGES)
    x, y, _ = demo.test_pair(3, demo.SIZE_PX)
    np.testing.assert_array_equal(source.test_x.read(3), x)
    np.testing.assert_array_equal(source.test_y.read(3), y)


@pytest.fixture(scope="module")
def tfds_dir(tmp_path_factory):
    """A builder of our own, prepared on disk as a downloaded one would be."""
    import tensorflow_datasets as tfds

    folder = tmp_path_factory.mktemp("tfds")

    class Tiny(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            image = tfds.features.Image(shape=(None, None, 3))
            label = tfds.features.ClassLabel(num_classes=2)
            features = tfds.features.FeaturesDict({"image": image, "label": label})
            return tfds.core.DatasetInfo(builder=self, features=features)

        def _split_generators(self, dl_manager):
            counts = {"trainA": 3, "trainB": 2, "testA": 2, "testB": 1}
            return {
                name: self._generate(index, count)
                for index, (name, count) in enumerate(counts.items())
            }

        def _generate(self, split, count):
            for index in range(count):
                yield (
                    index,
                    {
                        "image": np.full((8 + index, 9, 3), 10 * split + index, np.uint8),
                        "label": split % 2,
                    },
                )

        def _generate_examples(self):
            raise NotImplementedError

    builder = Tiny(data_dir=str(folder))
    builder.download_and_prepare()
    return folder


@pytest.mark.filterwarnings("ignore")  # tensorflow-datasets' own imports and deprecations
def test_tensorflow_datasets_are_read_from_disk(tfds_dir):
    source = open_tfds("tiny", str(tfds_dir), 3, 3)
    assert [
        len(images) for images in (source.train_x, source.train_y, source.test_x, source.test_y)
    ] == [
        3,
        2,
        2,
        1,
    ]
    for index in range(3):
        value = source.train_x.read(index)[0, 0, 0]
        assert source.train_x.read(index).shape == (8 + value, 9, 3)
    assert {int(source.train_y.read(i)[0, 0, 0]) for i in range(2)} == {10, 11}


@pytest.mark.filterwarnings("ignore")
def test_a_builder_that_comes_in_a_package_finds_its_files(tmp_path):
    import tensorflow_datasets as tfds

    builder = tfds.builder("cycle_gan/maps", data_dir=str(tmp_path))  # as `open_tfds` asks for it
    assert any("maps" in str(address) for address in builder.url_infos)  # a file of the package


def test_a_package_that_a_data_set_needs_is_named(monkeypatch):
    import tensorflow_datasets as tfds

    def builder(*_, **__):
        raise ModuleNotFoundError(
            "No module named 'importlib_resources'", name="importlib_resources"
        )

    monkeypatch.setattr(tfds, "builder", builder)
    with refused("missing", "data.source", match="importlib_resources is not installed"):
        open_tfds("cycle_gan/maps", None, 3, 3)


@pytest.mark.filterwarnings("ignore")
def test_a_data_set_that_cannot_be_had_is_one_sentence(tfds_dir):
    with refused("unreadable", "data.source", match="tfds:no_such_set cannot be prepared"):
        open_tfds("no_such_set", str(tfds_dir), 3, 3)
    with refused(
        "mismatch", "data.channels_x", match=r"3 channels in trainA, but data.channels_x is 1"
    ):
        open_tfds("tiny", str(tfds_dir), 1, 3)
