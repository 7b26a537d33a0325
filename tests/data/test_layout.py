"""The folders of a data set, before an image is opened."""

import pytest

from cyclegan_tf.data import layout
from tests.helpers.errors import refused


@pytest.fixture
def root(tmp_path):
    for name in ("images/trainA", "images/trainB", "images/testA", "plain/apples", "plain/pears"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def test_a_data_set_of_the_layout_is_found(root):
    found = layout.standard_folders(root / "images")
    assert found == {name: root / "images" / name for name in ("trainA", "trainB", "testA")}
    layout.check_source(str(root / "images"))
    for named in ("demo", "tfds:cycle_gan/maps"):
        layout.check_source(named)


def test_pairs_in_words():
    assert layout.pairs_in_words(25, 400, 300) == "25 pairs of the 400 images of X and 300 of Y"
    said = layout.pairs_in_words(1, 2, 3, ("trainA", "trainB"))
    assert said == "1 pair of the 2 images of trainA and 3 of trainB"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("image", r"data\.source: the folder \S+ does not exist; did you mean \S+images\?$"),
        ("images/testA", r"is a part of the data set \S+images: give that\.$"),
        ("plain/pears", "has no folder trainA and none named trainB; .* --data.x_dir X"),
        ("plain", r"--data\.x_dir \S+apples --data\.y_dir \S+pears\.$"),
        ("file", "is a file, and a folder is wanted"),
    ],
)
def test_what_is_no_data_set_is_one_sentence(root, name, said):
    (root / "file").touch()
    with refused("missing", "data.source", match=said):
        layout.check_source(str(root / name))


def test_plain_folders_must_be_there(root):
    with refused("missing", "data.y_dir", match=r"did you mean \S+pears\?"):
        layout.check_two_folders(root / "plain/apples", root / "plain/peers")
    layout.check_two_folders(root / "plain/apples", root / "plain/pears")


def test_one_folder_for_both_domains_is_refused(root):
    (root / "link").symlink_to(root / "plain/apples")
    with refused("mismatch", "data.y_dir", match="are the same folder"):
        layout.refuse_same_folders(root / "plain/apples", root / "link")
    layout.refuse_same_folders(root / "plain/apples", root / "plain/pears")


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ({"source": "tfds:cycle_gan/horse2zebra"}, ("horse", "zebra")),
        ({"source": "/data/apple2orange_mini"}, ("apple", "orange")),
        ({"source": "demo"}, ("summer", "autumn")),
        ({"source": "images", "x_dir": "a/plain", "y_dir": "b/striped"}, ("plain", "striped")),
        ({"source": "images", "x_dir": "a/train", "y_dir": "b/train"}, None),
        ({"x_dir": "/x/oil_paintings/", "y_dir": "photos"}, ("oil paintings", "photos")),
        ({"x_dir": "trainA", "y_dir": "trainB"}, None),
        ({"x_dir": "a", "y_dir": "b", "name_x": "apples", "name_y": "pears"}, ("apples", "pears")),
        ({"x_dir": "apples", "y_dir": "B", "name_y": "pears"}, ("apples", "pears")),
        ({"source": "images", "name_x": "apples", "name_y": "pears"}, ("apples", "pears")),
        ({"source": "images", "name_x": "apples", "name_y": None}, None),
        ({"source": "facades"}, None),
        ({"source": "run2"}, None),
        ({}, None),
    ],
)
def test_the_domains_own_names(data, names):
    assert layout.domain_names(data) == names
    x, y = names or ("A", "B")
    assert layout.direction_label(data, "xy") == f"{x} to {y}"
    assert layout.direction_label(data, "yx") == f"{y} to {x}"
