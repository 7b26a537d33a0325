"""The examination on real files: what is read, compared, counted and drawn."""

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.check import examination
from cyclegan_tf.data.layout import standard_folders
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.ranges import ValueRange
from tests.helpers import image_files, tiny
from tests.helpers.errors import refused


@pytest.fixture
def data(tmp_path):
    """A sound data set: 4 training and 2 test images per domain, no two alike."""
    seed = iter(range(100))
    for name, count in (("trainA", 4), ("trainB", 4), ("testA", 2), ("testB", 2)):
        for number in range(count):
            image_io.save(
                tmp_path / name / f"{number}.png", image_files.noise(20, 24, seed=next(seed))
            )
    return tmp_path


def examine(data, **options):
    return examination.examine_folders(standard_folders(data), crop_size_px=16, **options)


def texts(report):
    return [f"{finding.level} {finding.text}" for finding in report.findings]


def test_sound_data(data):
    report = examine(data)
    assert texts(report) == []
    assert report.status == 0
    assert [(folder.name, len(folder.files)) for folder in report.folders] == [
        ("trainA", 4),
        ("trainB", 4),
        ("testA", 2),
        ("testB", 2),
    ]
    first = report.folders[0].files[0]
    assert (first.info.width, first.info.height) == (24, 20)
    assert first.contrast == pytest.approx(
        0.29, abs=0.02
    )  # of a uniform distribution: 1 / sqrt(12) = 0.289


def test_equal_after_decoding_is_equal_whatever_the_format(data):
    image = image_io.read(data / "trainA" / "0.png")
    Image.fromarray(image).save(data / "trainB" / "copy.bmp")
    (found,) = texts(examine(data))
    assert "1 image is in both domains" in found
    assert "trainA/0.png = trainB/copy.bmp" in found
    image_io.save(
        data / "trainB" / "copy.bmp", image.reshape(24, 20, 3)
    )  # the same bytes, another image
    assert texts(examine(data)) == []


def test_test_images_that_are_training_images_saved_again_are_named(data):
    shapes = Image.fromarray(image_files.noise(6, 6, seed=50)).resize((300, 300), Image.BICUBIC)
    shapes.save(data / "trainA" / "shapes.png")
    shapes.resize((375, 375), Image.BICUBIC).save(data / "testA" / "again.jpg", quality=80)
    shapes.resize((375, 375), Image.BICUBIC).save(data / "trainA" / "same_split.jpg", quality=85)
    shapes.resize((375, 375), Image.BICUBIC).save(data / "testB" / "other_domain.jpg", quality=90)
    (found,) = texts(examine(data))
    assert found.startswith("warning 1 image of testA is a training image saved again")
    assert "testA/again.jpg = trainA/" in found


def test_every_broken_file_is_named_and_makes_the_data_unusable(data):
    (data / "trainA" / "empty.png").touch()
    (data / "trainA" / "text.jpg").write_text("hello")
    Image.fromarray(image_files.smooth()).save(data / "whole.jpg")
    image_files.cut_off(data / "trainB" / "cut.jpg", data / "whole.jpg", 0.95)
    image_files.bomb_png(data / "testA" / "bomb.png")
    report = examine(data)
    assert report.status == 2
    first, second, third = texts(report)
    assert first.startswith("error trainA: 2 files")
    assert "empty.png: is empty" in first
    assert "text.jpg: is not an image" in first
    assert "cut.jpg: is damaged or cut off" in second
    assert third.startswith("warning testA: 1 file")
    assert "bomb.png: has 100000 x 100000 pixels" in third


def test_one_color_is_flat_though_its_channels_differ(data):
    image_io.save(data / "trainA" / "blue.png", np.full((20, 24, 3), (10, 20, 250), np.uint8))
    report = examine(data)
    assert report.status == 1
    (found,) = texts(report)
    assert "trainA: 1 of 5 images is flat" in found
    assert "blue.png" in found


def test_channels_by_domain(data):
    for number in range(4):
        (data / "trainB" / f"{number}.png").unlink()
        np.save(data / "trainB" / f"{number}.npy", image_files.noise(20, 20, 5, seed=number))
    for number in range(2):
        (data / "testB" / f"{number}.png").unlink()
        np.save(data / "testB" / f"{number}.npy", image_files.noise(20, 20, 5, seed=number + 9))
    assert examine(data, channels_y=5).status == 0
    report = examine(data)
    assert report.status == 2
    assert "has 5 channels (uint8), and 3 are wanted" in texts(report)[0]


def test_missing_test_folders_are_a_note_missing_train_folders_an_error(data):
    for path in (data / "testA").iterdir():
        path.unlink()
    (data / "testA").rmdir()
    report = examine(data)
    assert report.status == 0
    assert [finding.level for finding in report.findings] == ["note"]
    for wrong in (data / "testB", data / "nowhere"):
        with refused("missing", "SOURCE") as caught:
            standard_folders(wrong, "SOURCE")
        assert (caught.value.code, caught.value.field) == ("missing", "SOURCE")


def test_contact_sheet_shows_every_folder_and_the_same_each_time(data):
    report = examine(data)
    sheet = examination.contact_sheet(report, images_per_row=3, cell_px=32)
    assert sheet.dtype == np.uint8
    height, width, _ = sheet.shape
    assert height == 4 + 4 * (32 + 4)
    rows = [sheet[4 + 36 * row : 36 + 36 * row, width - 3 * 36 :] for row in range(4)]
    drawn = [[(row[:, c * 36 : c * 36 + 32] < 250).mean() > 0.5 for c in range(3)] for row in rows]
    assert drawn == [[True] * 3] * 2 + [[True, True, False]] * 2
    np.testing.assert_array_equal(
        sheet, examination.contact_sheet(report, images_per_row=3, cell_px=32)
    )
    assert (sheet != examination.contact_sheet(report, images_per_row=3, cell_px=32, seed=1)).any()


def test_no_contact_sheet_without_images(tmp_path):
    (tmp_path / "x").mkdir()
    report = examination.examine_folders({"X": tmp_path / "x", "Y": tmp_path / "x"})
    assert report.status == 2
    with refused("missing") as caught:
        examination.contact_sheet(report)
    assert caught.value.code == "missing"


def test_scans_need_a_range_and_are_looked_at_through_it(tmp_path):
    scans = tiny.scans(tmp_path)
    report = examine(scans, channels_x="auto", channels_y="auto")
    assert report.status == 2
    assert all("Or take --data.range_" in text for text in texts(report) if "error" in text)
    ranges = {"X": "auto", "Y": (0, 2)}
    report = examine(scans, channels_x="auto", channels_y="auto", ranges=ranges)
    assert texts(report) == []
    scan, other = report.folders[0], report.folders[1]
    assert (scan.channels, scan.value_range.dtype) == (1, "int16")
    assert other.value_range == ValueRange(0, 2, "float32")
    assert scan.files[0].contrast > 0.1
    assert examination.contact_sheet(report).shape[-1] in (1, 3)


def test_twelve_bits_in_sixteen_are_dark_and_one_constant_image_is_flat(data):
    for number in range(4):
        counts = image_files.noise(20, 24, 3, np.uint16, seed=number) // 16
        image_io.save(data / "trainA" / f"{number}.png", counts)
    for path in (data / "testA").iterdir():
        path.unlink()
    (found,) = (text for text in texts(examine(data)) if text.startswith("warning"))
    assert "Domain X uses 6.2% of its range: take --data.range_x auto" in found
    image_io.save(data / "trainA" / "0.png", np.full((20, 24, 3), 900, np.uint16))
    warnings = [text for text in texts(examine(data)) if text.startswith("warning")]
    assert any("1 of 4 images is flat" in text for text in warnings)
    assert examine(data, ranges={"X": "auto"}).findings[0].text.startswith("trainA: 1 of 4 images")
