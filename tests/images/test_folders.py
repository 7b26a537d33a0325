"""Files of a folder: images in order, all others counted, results within the input left out."""

import pytest

from cyclegan_tf.errors import UserError
from cyclegan_tf.images.folders import EXTENSIONS, describe_others, find_images, list_folder
from tests.helpers import image_files
from tests.helpers.errors import refused


def test_found_in_order_of_relative_names_without_hidden_ones(tmp_path):
    wanted = ["B.PNG", "a.jpg", "deep/er/c.TiF", "deep/z.npy", "e.webp"]
    others = [".hidden.png", "deep/.git/x.png", "notes.txt", "png", "f.psd"]
    for name in wanted + others:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "folder.png").mkdir()
    found = find_images(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == wanted
    assert find_images(str(tmp_path)) == found


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.png").touch()
    data = tmp_path / "data"
    data.mkdir()
    (data / "link").symlink_to(elsewhere)
    (data / "circle").symlink_to(data)
    (data / "same").symlink_to(elsewhere)
    assert find_images(data) == [data / "link" / "a.png"]


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none: there is no such folder"):
        find_images(tmp_path / "none")


def test_files_of_other_kinds_are_counted(tmp_path):
    names = ["a.png", "b.PSD", "c.psd", "d/e.svg", "f", ".hidden.raw", "Thumbs.db", ".git/x.raw"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    listing = list_folder(tmp_path)
    assert listing.images == (tmp_path / "a.png",)
    assert listing.others == {".psd": 2, ".svg": 1, "without suffix": 1}
    assert describe_others(listing.others).startswith("2 .psd, ")
    many = dict.fromkeys((f".{index}" for index in range(10)), 1)
    assert describe_others(many).endswith("1 .7, 2 of more suffixes")


def test_a_folder_of_results_is_left_out(tmp_path):
    for name in ("a.png", "results/deep/b.png", "results/c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to(tmp_path / "results")
    listing = list_folder(tmp_path, leave_out=tmp_path / "results")
    assert (listing.images, listing.others) == ((tmp_path / "a.png",), {})


def test_kinds_of_phones_browsers_and_imagej_are_read():
    assert {".jfif", ".jpe", ".ppm", ".pgm", ".pnm", ".tga", ".jp2", ".avif"} <= EXTENSIONS


def test_a_folder_that_cannot_be_entered_is_an_error_not_an_absence(tmp_path, monkeypatch):
    image_files.lock_folder(tmp_path / "a" / "locked", monkeypatch)
    with refused("unreadable", tmp_path / "a" / "locked", match="cannot be entered: Permission"):
        find_images(tmp_path)
