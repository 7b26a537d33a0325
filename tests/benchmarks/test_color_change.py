"""The color-change data set: its change by hand, its halves, its files."""

import numpy as np
import pytest
from PIL import Image

from benchmarks.quality import color_change
from tests.helpers.errors import refused
from tests.helpers.image_files import noise


@pytest.fixture
def photos(tmp_path):
    for index in range(9):
        path = tmp_path / "photos" / ("street" if index < 4 else "") / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(12, 16, seed=index)).save(path)
    return tmp_path / "photos"


def contents(folder):
    """Images by name, that of a photo in a subfolder being SUBFOLDER_NAME."""
    return {
        "_".join(p.relative_to(folder).parts): np.asarray(Image.open(p))
        for p in folder.rglob("*.png")
    }


def test_change_by_hand():
    found = color_change.change(np.array([[[200, 100, 50]]], np.uint8))[0, 0]
    red, green, blue = (200 / 255) ** 0.6, 100 / 255, (50 / 255) ** 1.6
    wanted = [
        255 * (0.7 * red + 0.3 * green) ** 0.75,
        255 * (0.7 * green + 0.3 * blue) ** 1.1,
        255 * (0.7 * blue + 0.3 * red) ** 1.05,
    ]
    assert found.tolist() == [round(value) for value in wanted]


def test_change_clips_nothing_and_can_be_undone():
    levels = np.arange(0, 256, 15)
    grid = (
        np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1)
        .reshape(1, -1, 3)
        .astype(np.uint8)
    )
    changed = color_change.change(grid)
    assert changed[0, 0].tolist() == [0, 0, 0]
    assert changed[0, -1].tolist() == [255, 255, 255]
    mixed = (changed / 255) ** (1 / color_change.AFTER) @ np.linalg.inv(color_change.MIXING).T
    undone = 255 * mixed.clip(0, 1) ** (1 / color_change.BEFORE)
    bright = (grid > 60).all(-1)  # of dark colors the powers make more of what rounding took
    assert np.abs(undone - grid)[bright].max() < 3


def test_change_is_not_linear():
    black, gray, light = (
        color_change.change(np.full((1, 1, 3), level, np.uint8))[0, 0] for level in (0, 100, 200)
    )
    assert black.max() == 0
    assert np.abs(light - 2.0 * gray).max() > 20


def test_psnr_of_the_unchanged_input():
    images = [noise(8, 8, seed=seed) for seed in (0, 1)]
    errors = [np.mean((p.astype(float) - color_change.change(p)) ** 2) for p in images]
    assert color_change.psnr_of_input(images) == pytest.approx(
        np.mean(10 * np.log10(255**2 / np.array(errors)))
    )


def test_halves_share_no_photo_and_the_test_split_is_paired(photos, tmp_path, capsys):
    out = tmp_path / "set"
    assert color_change.main([str(photos), str(out), "--test_count", "2"]) == 0
    made = {name: contents(out / name) for name in ("trainA", "trainB", "testA", "testB")}
    assert [len(images) for images in made.values()] == [4, 3, 2, 2]
    original = contents(photos)
    assert sorted([*made["trainA"], *made["trainB"], *made["testA"]]) == sorted(original)
    for part in ("trainA", "testA"):
        assert all(np.array_equal(image, original[name]) for name, image in made[part].items())
    for part in ("trainB", "testB"):
        assert all(
            np.array_equal(p, color_change.change(original[name])) for name, p in made[part].items()
        )
    assert made["testB"].keys() == made["testA"].keys()
    told = f"{color_change.psnr_of_input(list(made['testA'].values())):.2f} dB"
    assert told in capsys.readouterr().out
    assert told in (out / "README.txt").read_text()


def test_another_folder_for_the_test_split_and_a_size(photos, tmp_path):
    words = [
        str(photos),
        str(tmp_path / "set"),
        "--test",
        str(photos / "street"),
        "--count",
        "5",
        "--size",
        "8",
    ]
    assert color_change.main(words) == 0
    made = {name: contents(tmp_path / "set" / name) for name in ("trainA", "trainB", "testA")}
    assert [len(images) for images in made.values()] == [3, 2, 4]
    assert {image.shape for images in made.values() for image in images.values()} == {(8, 8, 3)}


def test_size_is_the_middle_square_reduced_by_area(tmp_path):
    image = np.zeros((4, 8, 3), np.uint8)
    image[:, 2:4], image[:, 4:6], image[:, 6:] = 40, 80, 255
    Image.fromarray(image).save(tmp_path / "wide.png")
    assert color_change.read(tmp_path / "wide.png", 2)[..., 0].tolist() == [[40, 80], [40, 80]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--count", "10"], "10 photos are wanted and 8 are there"),
        (["--test_count", "8"], "leaves none to train"),
        (["--size", "0"], "--size 0"),
    ],
)
def test_mistakes_are_told_and_leave_nothing(photos, tmp_path, words, message):
    with refused("invalid", match=message):
        color_change.main([str(photos), str(tmp_path / "set"), *words])
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_an_existing_folder_and_names_that_meet_are_refused(photos, tmp_path):
    with refused("invalid", match="exists"):
        color_change.main([str(photos), str(photos)])
    Image.fromarray(noise(12, 16)).save(photos / "5.jpg")
    with refused("invalid", match="differ in nothing but the suffix"):
        color_change.main([str(photos), str(tmp_path / "set"), "--test", str(photos)])


def test_a_damaged_photo_leaves_nothing(photos, tmp_path):
    (photos / "7.png").write_bytes((photos / "7.png").read_bytes()[:60])
    with refused("unreadable", match=r"7\.png"):
        color_change.main([str(photos), str(tmp_path / "set")])
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
