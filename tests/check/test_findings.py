"""Findings: each harm is found where it is, and nowhere else."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cyclegan_tf.check import findings
from cyclegan_tf.check.folders import Folder, ImageReport
from cyclegan_tf.images.io import ImageInfo


def good(folder, number, **changes):
    """A readable image, unlike any other, nothing wrong with it."""
    facts = {
        "width": 300,
        "height": 300,
        "mode": "RGB",
        "channels": 3,
        "bits": 8,
        "has_alpha": False,
        "more_pages": False,
        "profile": b"",
    }
    facts |= {name: changes.pop(name) for name in list(changes) if name in facts}
    path = Path(folder) / f"{number}.png"
    known = {"digest": f"{folder}{number}".encode(), "contrast": 0.2, "brightest": 1.0} | changes
    return ImageReport(path, None, ImageInfo(path, "PNG", **facts), **known)


def folder(name, *files, channels=3, ignored=None):
    return Folder(name, Path(name), channels, files, Counter(ignored or {}))


def look(*folders, crop_size_px=256):
    return [finding for one in findings.CHECKS for finding in one(folders, crop_size_px)]


def both(*x_files, channels=3):
    """Domain X as given, domain Y as many good images."""
    return folder("X", *x_files, channels=channels), folder(
        "Y", *(good("Y", i) for i in range(len(x_files)))
    )


def test_nothing_wrong_nothing_found():
    assert look(*both(good("X", 1), good("X", 2))) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"contrast": 0.001}, "1 of 2 images is flat"),
        ({"width": 255}, "1 of 2 images is smaller than the crop of 256 px"),
        ({"height": 255}, "smaller than the crop"),
        ({"has_alpha": True, "channels": 4, "mode": "RGBA"}, "laid on white"),
        ({"mode": "CMYK", "channels": 4}, "in CMYK"),
        ({"more_pages": True}, "of more than one page or frame"),
        ({"bits": 16}, "Domain X mixes 1 8-bit and 1 deeper"),
        ({"channels": 1, "mode": "L"}, "Domain X mixes 1 color and 1 gray"),
    ],
)
def test_one_odd_image_is_found(changes, words):
    (found,) = look(*both(good("X", 1), good("X", 2, **changes)))
    assert found.level == "warning"
    assert words in found.text
    if "mixes" not in words:
        assert "2.png" in found.text
        assert "1.png" not in found.text


def test_a_set_of_gray_images_is_noted_where_color_is_read():
    gray = [good("X", number, channels=1, mode="L") for number in range(2)]
    (found,) = look(*both(*gray))
    assert found.level == "note"
    assert "--data.channels_x 1" in found.text
    assert look(*both(*gray, channels=1)) == []


@pytest.mark.parametrize("stray", [True, False])
def test_images_of_another_number_of_channels(stray):
    broken = [
        ImageReport(Path(f"X/{number}.tif"), "has 5 channels", channels=5) for number in (1, 2)
    ]
    others = [good("X", 3)] * stray
    (found,) = look(folder("X", *broken, *others), folder("Y", good("Y", 1)))
    assert ("--data.channels_x 5" in found.text) == (not stray)


def test_gray_among_color_is_all_right_where_gray_is_read():
    assert look(*both(good("X", 1), good("X", 2, channels=1, mode="L"), channels=1)) == []


def test_shallow_data_in_deep_files():
    dark = [good("X", number, bits=16, brightest=4095 / 65535) for number in (1, 2)]
    (found,) = look(*both(*dark, good("X", 3, bits=16, brightest=0.01, contrast=0.001)))
    assert found.text.startswith("Domain X uses 6.2% of its range: take --data.range_x auto")
    constant = good("X", 4, bits=16, brightest=0.01, contrast=0.0001)
    assert "1 of 3 images is flat" in look(*both(*dark, constant))[0].text
    pale = [good("X", n, bits=16, darkest=0.5, brightest=0.55) for n in (1, 2)]
    assert "uses 5.0% of its range" in look(*both(*pale))[0].text
    assert look(*both(*dark, good("X", 3, bits=16, brightest=0.9))) == []


def test_the_same_image_in_two_places():
    x, y = good("X", 1, digest=b"same"), good("Y", 1, digest=b"same")
    (found,) = look(folder("X", x), folder("Y", y))
    assert found.text.startswith("1 image is in both domains")
    assert "X/1.png = Y/1.png" in found.text

    train, test = good("trainA", 1, digest=b"same"), good("testA", 1, digest=b"same")
    others = (folder("trainB", good("trainB", 1)), folder("testB", good("testB", 1)))
    (found,) = look(folder("trainA", train), folder("testA", test), *others)
    assert "in training and in test" in found.text

    (found,) = look(*both(good("X", 1, digest=b"same"), good("X", 2, digest=b"same")))
    assert "more than once in a folder" in found.text
    assert "X/1.png = X/2.png" in found.text


def test_a_training_image_saved_again_for_the_test():
    shown = np.random.default_rng(1).random((256, 3)).astype(np.float32)
    other = np.random.default_rng(2).random((256, 3)).astype(np.float32)
    train = (good("trainA", 1, thumbnail=other), good("trainA", 2, thumbnail=shown))
    test = (good("testA", 1, thumbnail=shown + 1e-3), good("testA", 2, thumbnail=1 - other))
    others = (folder("trainB", good("trainB", 1)), folder("testB", good("testB", 1)))
    (found,) = look(folder("trainA", *train), folder("testA", *test), *others)
    assert "1 image of testA is a training image saved again" in found.text
    assert "testA/1.png = trainA/2.png" in found.text
    # the same to the last bit: a duplicate, and no more
    test = (good("testA", 1, thumbnail=shown, digest=b"same"),)
    train = (good("trainA", 2, thumbnail=shown, digest=b"same"),)
    (found,) = look(folder("trainA", *train), folder("testA", *test), *others)
    assert "in training and in test" in found.text


def test_unreadable_files_are_errors_in_training_and_warnings_in_test():
    broken = [ImageReport(Path(name) / "bad.png", "is damaged") for name in ("trainA", "testA")]
    found = look(
        folder("trainA", good("trainA", 1), broken[0]),
        folder("trainB", good("trainB", 1)),
        folder("testA", broken[1]),
        folder("testB", good("testB", 1)),
    )
    assert [finding.level for finding in found] == ["error", "warning"]
    assert found[0].text.endswith("\n    trainA/bad.png: is damaged")


def test_many_unreadable_files_are_counted():
    broken = [ImageReport(Path(f"X/{number}.png"), "is damaged") for number in range(130)]
    found = look(folder("X", *broken), folder("Y", good("Y", 1)))[0]
    assert "130 files cannot be used" in found.text
    assert found.text.endswith("and 30 more")


def test_empty_folders():
    (found,) = look(folder("X", ignored={".psd": 12}), folder("Y", good("Y", 1)))
    assert found.level == "error"
    assert "X has no images (it holds 12 .psd)" in found.text
    found = look(
        folder("trainA", good("trainA", 1)), folder("trainB", good("trainB", 1)), folder("testA")
    )
    assert [finding.level for finding in found] == ["note", "note"]
    assert found[0].text.startswith("testA has no images")
    assert found[1].text.startswith("There is no testB; ")


def test_profiles_are_counted():
    file = good("X", 1, profile=b"wide")
    (found,) = look(folder("X", file, good("X", 2)), folder("Y", good("Y", 1), good("Y", 2)))
    assert (found.level, "1 image of 2 with a color profile" in found.text) == ("note", True)


def test_other_files_are_a_warning():
    (found,) = look(folder("X", good("X", 1), ignored={".txt": 1}), folder("Y", good("Y", 1)))
    assert (found.level, "1 .txt" in found.text) == ("warning", True)


@pytest.mark.parametrize(("counts", "expected"), [((2, 5), 0), ((2, 6), 1), ((6, 2), 1)])
def test_uneven_counts(counts, expected):
    folders = [
        folder(name, *(good(name, i) for i in range(n)))
        for name, n in zip("XY", counts, strict=True)
    ]
    found = look(*folders)
    assert len(found) == expected
    if found:
        assert "3 times an epoch" in found[0].text
