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


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("image", r"data\.source: the folder \S+ does not exist; did you mean \S+images\?$"),
        ("images/testA", "has no folder trainA and none named trainB; .* --data.x_dir X"),
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
