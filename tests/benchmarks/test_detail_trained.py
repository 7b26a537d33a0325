"""Figures of ways to bring detail back, on networks that learned a set."""

import numpy as np
import pytest

from benchmarks.quality import detail, detail_trained
from cyclegan_tf.images import io as image_io
from tests.helpers.image_files import noise


def test_kept_is_the_psnr_at_the_scale_of_the_translation():
    white = np.full((8, 8, 3), 255, np.uint8)  # 1.0 in [-1, 1], reduced as well
    half = np.full((2, 2, 3), 0.5, np.float32)
    # range 2, difference 0.5: 10 log10(4 / 0.25)
    assert detail_trained.kept(white, half) == pytest.approx(12.0412, abs=1e-4)


@pytest.mark.parametrize(
    ("share", "wanted"),
    [(2, 1.0), (1, 0.8), (0, 0.0), (-2, -1.0)],  # 2 k / (1 + k^2) of the image's detail times k
)
def test_detail_back_counts_sign_and_strength(share, wanted):
    pattern = noise(16, 16, seed=1).astype(int) // 8 - 16
    image, result = (np.uint8(120 + factor * pattern) for factor in (2, share))
    assert detail_trained.detail_back(result, image, 4) == pytest.approx(wanted, abs=1e-4)


def test_without_detail_there_is_no_figure():
    flat = np.full((8, 8, 3), 7, np.uint8)
    assert np.isnan(detail_trained.detail_back(flat, flat, 8))


def test_squares_are_whole_multiples_and_small_images_are_left_out(tmp_path):
    image = noise(50, 40)
    image_io.save(tmp_path / "wide.png", image)
    image_io.save(tmp_path / "small.png", noise(38, 60))
    found = detail_trained.squares(tmp_path, px=13, side=41, count=5)
    assert list(found) == ["wide"]
    np.testing.assert_array_equal(found["wide"], image[5:44, 0:39])


def test_a_known_truth_is_found_again():
    """With a change of color the gains are nearer to it than the enlarged translation."""
    images = {"a": noise(40, 40)}
    scores = detail_trained.measure_reduced(images, detail._ideal, 40, factor=3)
    (figure,) = scores.values()
    assert figure["gains (taken)"][0] > figure["enlarged"][0]


def test_figures_are_of_this_image_and_its_partner():
    images = {"a": noise(40, 40, seed=1), "b": noise(40, 40, seed=2)}
    partners = {stem: detail.change(image) for stem, image in images.items()}
    scores = detail_trained.measure(images, partners, detail._ideal, 20)
    assert scores["PSNR, SSIM, partner"]["full"][1] == pytest.approx(1)
    assert scores["PSNR, SSIM, partner"]["the input"][1] < 0.99
    assert scores["kept, detail"]["the input"][1] == pytest.approx(1)


@pytest.mark.parametrize("stem", ["0", "other"])
def test_the_table_says_what_was_measured(stem, tmp_path, monkeypatch, capsys):
    for split, name in (("testA", "0"), ("testB", stem)):
        image_io.save(tmp_path / "set" / split / f"{name}.png", noise(40, 40))
    monkeypatch.setattr(detail_trained, "train", lambda *words: None)
    monkeypatch.setattr(detail_trained, "trained", lambda run, direction: detail._ideal)
    words = [str(tmp_path / "set"), str(tmp_path), "--px", "20", "--side", "40", "--images"]
    assert detail_trained.main([*words, str(tmp_path / "sheets")]) == 0
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert head.split(" | ")[1:] == ["figure", "the input", *detail.WAYS, "full |"]
    figures = [row.split(" | ")[1] for row in rows]
    partner = ["PSNR, SSIM, partner"] if stem == "0" else []
    assert figures == 2 * ["kept, detail", *partner, "PSNR, SSIM, known truth"]
    assert (tmp_path / "sheets" / "yx_2x.png").is_file()
