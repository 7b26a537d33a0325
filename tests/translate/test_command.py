"""Images of any size and kind through a generator, names kept, nothing overwritten."""

import os
import shutil
import signal
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from cyclegan_tf import cli
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images import profiles
from cyclegan_tf.images.training_scale import FULL, TrainingScale
from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.translate import command as translate
from cyclegan_tf.translate.translator import Translator
from cyclegan_tf.translate.video import translation
from tests.helpers import image_files
from tests.helpers.errors import refused


@pytest.fixture(scope="module")
def network():
    return build_generator("resnet_6blocks", filters=2, blocks=1, seed=3)


@pytest.fixture(scope="module")
def saved(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "g.keras"
    network.save(path)
    return path


@pytest.fixture(scope="module")
def run(tiny_run, tmp_path_factory):
    """A run without one of the saved generators, as one that is not finished."""
    run = Path(shutil.copytree(tiny_run, tmp_path_factory.mktemp("unfinished") / "run"))
    (run / "generator_xy.keras").unlink()
    return run


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name, size in {
        "a.png": (33, 21),
        "sub/b.jpg": (16, 40),
        "sub/c.gif": (7, 5),
        "d.webp": (20, 20),
    }.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), np.uint8)).save(path)
    return tmp_path / "in"


def test_a_folder_keeps_names_sizes_and_kinds(run, folder, tmp_path, capsys):
    assert translate.main([str(run), str(folder), str(tmp_path / "out")]) == 0
    written = {
        p.relative_to(tmp_path / "out").as_posix()
        for p in (tmp_path / "out").rglob("*")
        if p.is_file()
    }
    assert written == {"a.png", "d.webp", "sub/b.jpg", "sub/c.png"}
    for name in written:
        (before,) = folder.glob(name.rsplit(".", 1)[0] + ".*")
        assert image_io.read(tmp_path / "out" / name).shape == image_io.read(before).shape
    assert "4 of 4 images translated" in capsys.readouterr().out


def test_files_left_out_are_counted_at_the_end(run, folder, tmp_path, capsys):
    for name in ("x.psd", "y.psd", "z"):
        (folder / name).touch()
    words = [str(run), str(folder), str(tmp_path / "out")]
    assert translate.main(words) == 0
    said = capsys.readouterr().err
    assert "left out: 3 files of kinds that are not read (2 .psd, 1 without suffix)" in said
    assert translate.main([*words, "--skip_existing"]) == 0
    assert "0 of 0 images translated" in (said := capsys.readouterr().out)
    assert "(4 existed already)" in said


@pytest.mark.parametrize("words", [[], ["--tile_px", "16", "--overlap_px", "4"]])
def test_all_pages_are_translated_or_the_file_is_refused(saved, folder, tmp_path, capsys, words):
    pages = [Image.effect_noise((20, 20), 50).convert("RGB") for _ in range(2)]
    for name in ("s.tif", "t.gif"):
        pages[0].save(folder / name, save_all=True, append_images=pages[1:])
    pages[0].save(folder / "u.tif", save_all=True, append_images=[pages[1].resize((9, 9))])
    assert translate.main([str(saved), str(folder), str(tmp_path / "out"), *words]) == 1
    assert "u.tif: has several pages or frames, of which some differ" in capsys.readouterr().err
    for name in ("s.tif", "t.png"):
        with Image.open(tmp_path / "out" / name) as image:
            assert image.n_frames == 2
    one = [str(saved), str(folder / "s.tif"), str(tmp_path / "s.png"), *words]
    with refused("unreadable", match=r"\.png files hold one; name an output of \.tif"):
        translate.main(one)


@pytest.mark.parametrize("words", [[], ["--tile_px", "16", "--overlap_px", "4"]])
def test_profile_and_alpha_stay_on_request(saved, tmp_path, capsys, words):
    wide = image_files.icc_profile(*image_files.WIDE)
    alpha = Image.effect_noise((24, 24), 90)
    image = Image.fromarray(image_files.noise(24, 24))
    image.putalpha(alpha)
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in ("a.png", "b.tif"):
        image.save(source / name, icc_profile=wide)
    image.convert("RGB").save(source / "c.bmp")
    kept = ["--keep_profile", "--keep_alpha", "--size", "full", *words]
    for folder, options in (("plain", kept[2:]), ("kept", kept)):
        assert translate.main([str(saved), str(source), str(out / folder), *options]) == 0
    assert capsys.readouterr().err.count("2 files: transparency, laid on white") == 1
    for name in ("a.png", "b.tif"):
        with Image.open(out / "kept" / name) as found, Image.open(out / "plain" / name) as plain:
            assert found.info["icc_profile"] == wide
            assert plain.info["icc_profile"] == profiles.srgb()
            assert (found.mode, plain.mode) == ("RGBA", "RGB")
            np.testing.assert_array_equal(np.asarray(found)[..., 3], np.asarray(alpha))


@pytest.mark.parametrize("words", [["--size", "full"], ["--tile_px", "16", "--overlap_px", "4"]])
def test_pixels_without_data(saved, tmp_path, words):
    tifffile = pytest.importorskip("tifffile")
    (tmp_path / "in").mkdir()
    image, where = image_files.noise(40, 40) // 2 + 1, np.zeros((40, 40), bool)
    where[:, 24:] = True
    options = {"photometric": "rgb", "metadata": None, "extratags": [(42113, "s", 0, "0", True)]}
    for name, fill in (("a", 0), ("b", 255)):
        tags = options["extratags"] if name == "a" else [(42113, "s", 0, "255", True)]
        image[where] = fill
        tifffile.imwrite(tmp_path / "in" / f"{name}.tif", image, **{**options, "extratags": tags})
    assert translate.main([str(saved), str(tmp_path / "in"), str(tmp_path / "out"), *words]) == 0
    found = [tifffile.imread(tmp_path / "out" / f"{name}.tif") for name in "ab"]
    for image, fill in zip(found, (0, 255), strict=True):
        np.testing.assert_array_equal((image == fill).all(-1), where)
    # a pixel with data never holds the number
    np.testing.assert_allclose(found[0][~where], found[1][~where].astype(int), atol=1)


@pytest.mark.parametrize("words", [[], ["--tile_px", "16", "--overlap_px", "4"]])
def test_place_scale_and_floats_are_kept(saved, tmp_path, words):
    tifffile = pytest.importorskip("tifffile")
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    values = np.random.default_rng(0).random((24, 40, 3), np.float32)
    scale = [(33550, 12, 3, (0.5, 0.5, 0.0), True)]
    tifffile.imwrite(source / "a.tif", values, photometric="rgb", extratags=scale, metadata=None)
    np.save(source / "b.npy", values)
    assert translate.main([str(saved), str(source), str(out), *words]) == 0
    with tifffile.TiffFile(out / "a.tif") as file:
        assert file.pages[0].tags.valueof(33550) == (0.5, 0.5, 0.0)
        assert file.pages[0].dtype == np.float32
    written = np.load(out / "b.npy")
    assert written.dtype == np.float32
    assert 0 <= written.min() < written.max() <= 1


def test_direction_and_checkpoint(run, folder, tmp_path, capsys):
    for direction in ("xy", "yx"):
        assert (
            translate.main(
                [
                    str(run),
                    str(folder / "a.png"),
                    str(tmp_path / f"{direction}.png"),
                    "--direction",
                    direction,
                ]
            )
            == 0
        )
        best = run / "checkpoints" / "best" / "step_000000003.npz"
        assert (
            f"generator {direction} of {best} (step 3, raw weights, best color_swd: "
            in capsys.readouterr().out
        )
    network = keras.saving.load_model(run / "generator_yx.keras")
    expected = Translator(network, 4, TrainingScale("area", 16))(image_io.read(folder / "a.png"))
    np.testing.assert_array_equal(image_io.read(tmp_path / "yx.png"), expected)
    assert (image_io.read(tmp_path / "xy.png") != expected).any()


def test_which_checkpoint(run, saved, folder, tmp_path, capsys):
    for checkpoint, out in (
        ("last", "step_000000003.npz (step 3, raw weights, newest)"),
        ("3", "as asked)"),
    ):
        words = [
            str(run),
            str(folder / "a.png"),
            str(tmp_path / f"{checkpoint}.png"),
            "--checkpoint",
            checkpoint,
        ]
        assert translate.main(words) == 0
        assert out in capsys.readouterr().out
    with refused("missing", "--checkpoint"):
        translate.main(
            [str(run), str(folder / "a.png"), str(tmp_path / "o.png"), "--checkpoint", "2"]
        )
    with refused("invalid", "--checkpoint", match="is a file of one network; leave the option out"):
        translate.main(
            [str(saved), str(folder / "a.png"), str(tmp_path / "o.png"), "--checkpoint", "last"]
        )
    assert not (tmp_path / "o.png").exists()


def test_sixteen_bits_stay_sixteen(saved, tmp_path):
    image_io.save(tmp_path / "deep.png", (np.arange(400, dtype=np.uint16) * 163).reshape(20, 20, 1))
    assert translate.main([str(saved), str(tmp_path / "deep.png"), str(tmp_path / "out.png")]) == 0
    out = image_io.read(tmp_path / "out.png")
    assert out.dtype == np.uint16
    assert len(np.unique(out)) > 300
    assert translate.main([str(saved), str(tmp_path / "deep.png"), str(tmp_path / "out.jpg")]) == 0
    assert image_io.read(tmp_path / "out.jpg").dtype == np.uint8


def test_a_bad_image_is_named_skipped_and_status_1(saved, folder, tmp_path, capsys):
    (folder / "bad.jpg").write_text("not an image")
    assert translate.main([str(saved), str(folder), str(tmp_path / "out")]) == 1
    out = capsys.readouterr()
    assert "skipped:" in out.err
    assert "bad.jpg" in out.err
    assert "4 of 5 images translated" in out.out
    assert not (tmp_path / "out" / "bad.jpg").exists()


def test_two_inputs_of_one_name_become_two_outputs(saved, folder, tmp_path):
    Image.new("RGB", (9, 9)).save(folder / "sub" / "c.png")
    assert translate.main([str(saved), str(folder / "sub"), str(tmp_path / "out")]) == 0
    assert image_io.read(tmp_path / "out" / "c.png").shape == (9, 9, 3)
    assert image_io.read(tmp_path / "out" / "c.gif.png").shape == (5, 7, 3)


def test_batches_give_what_single_images_give(saved, folder, tmp_path):
    Image.open(folder / "a.png").transpose(Image.Transpose.ROTATE_180).save(folder / "a2.png")
    for words in (["1"], ["4"]):
        assert (
            translate.main(
                [
                    str(saved),
                    str(folder),
                    str(tmp_path / words[0]),
                    "--quiet",
                    "--batch_size",
                    *words,
                ]
            )
            == 0
        )
    for name in ("a.png", "a2.png", "sub/c.png"):
        single, several = (image_io.read(tmp_path / size / name).astype(int) for size in "14")
        assert np.abs(single - several).max() <= 1


def test_ctrl_c_is_status_130_and_leaves_whole_files(saved, folder, tmp_path, monkeypatch, capsys):
    batch, calls = Translator.batch, []

    def interrupted(self, images):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return batch(self, images)

    monkeypatch.setattr(Translator, "batch", interrupted)
    with pytest.raises(SystemExit) as caught:
        cli.run(translate.main, [str(saved), str(folder), str(tmp_path / "out"), "--quiet"])
    assert caught.value.code == 130
    assert "stopped by Ctrl-C" in capsys.readouterr().err
    for path in (path for path in (tmp_path / "out").rglob("*") if path.is_file()):
        assert image_io.read(path).size


def test_an_unwritable_output_is_one_sentence_and_status_2(saved, folder, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").write_text("in the way of a folder")
    with pytest.raises(SystemExit) as caught:
        cli.run(translate.main, [str(saved), str(folder), str(tmp_path / "out"), "--quiet"])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert "cannot be written" in line


def test_outputs_are_never_overwritten_unasked(saved, folder, tmp_path):
    words = [str(saved), str(folder), str(tmp_path / "out"), "--quiet"]
    assert translate.main(words) == 0
    kept = tmp_path / "out" / "a.png"
    kept.write_bytes(b"mine")
    with refused("exists", match=r"4 of 4 outputs exist already .* --overwrite"):
        translate.main(words)
    (tmp_path / "out" / "d.webp").unlink()
    assert translate.main([*words, "--skip_existing"]) == 0
    assert (tmp_path / "out" / "d.webp").exists()
    assert kept.read_bytes() == b"mine"
    assert translate.main([*words, "--overwrite"]) == 0
    assert kept.read_bytes() != b"mine"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("{saved}", "/nowhere.png", "{tmp}/o.png"), "/nowhere.png does not exist"),
        (
            ("/nowhere", "{folder}/a.png", "{tmp}/o.png"),
            "neither a run directory nor a .keras file",
        ),
        (("{tmp}/empty", "{folder}/a.png", "{tmp}/o.png"), "not a run directory"),
        (("{folder}/a.png", "{folder}/a.png", "{tmp}/o.png"), "not a .keras file"),
        (("{tmp}/broken.keras", "{folder}/a.png", "{tmp}/o.png"), "not a .keras file"),
        (("{tmp}/nothing.keras", "{folder}/a.png", "{tmp}/o.png"), "is empty"),
        (("{tmp}/pipe.keras", "{folder}/a.png", "{tmp}/o.png"), "is a pipe"),
        (
            ("{tmp}/dense.keras", "{folder}/a.png", "{tmp}/o.png"),
            "not a network from images to images",
        ),
    ],
)
def test_bad_input_is_one_sentence(saved, folder, tmp_path, words, message, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "nothing.keras").touch()
    os.mkfifo(tmp_path / "pipe.keras")
    (tmp_path / "broken.keras").write_text("no zip")
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]).save(tmp_path / "dense.keras")
    given = [word.format(saved=saved, folder=folder, tmp=tmp_path) for word in words]
    with refused(["missing", "unreadable", "unsupported"], match=message) as caught:
        translate.main(given)
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""  # nothing of a scale, or of a generator that is none
    assert not (tmp_path / "o.png").exists()


def test_tiles_of_a_folder_large_and_small(saved, folder, tmp_path, capsys):
    tifffile = pytest.importorskip("tifffile")
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (9, 12, 3), np.uint8)
    large = np.asarray(Image.fromarray(small).resize((150, 110), Image.Resampling.BICUBIC))
    tifffile.imwrite(
        folder / "large.tif", large, photometric="rgb", rowsperstrip=8, compression="zlib"
    )
    Image.fromarray(large).save(folder / "sub" / "large.png")
    words = [
        str(saved),
        str(folder),
        str(tmp_path / "out"),
        "--tile=64",
        "--overlap=24",
    ]  # former spellings
    assert translate.main(words) == 0
    out = capsys.readouterr().out
    assert "large.tif: 150 x 110 in 12 tiles, " in out
    assert "6 of 6 images translated" in out
    assert translate.main([str(saved), str(folder), str(tmp_path / "whole"), "--quiet"]) == 0
    for path in (tmp_path / "whole").rglob("*.*"):
        found = image_io.read(tmp_path / "out" / path.relative_to(tmp_path / "whole"))
        # these overlaps are narrower than what a pixel is seen by; wide ones are
        # test_tiled.py's
        assert np.abs(found.astype(int) - image_io.read(path)).mean() < 0.5
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]
    with refused("exists", match="outputs exist already"):
        translate.main(words)


def test_sigterm_leaves_nothing_behind(saved, folder, tmp_path, monkeypatch):
    Image.fromarray(np.zeros((60, 90, 3), np.uint8)).save(tmp_path / "a.tif")
    seen = []

    def ended(self, place):
        seen.extend((tmp_path / "out").iterdir())
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("cyclegan_tf.translate.tiling.tiled._Work.last", ended)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as caught:
        translate.main(
            [
                str(saved),
                str(tmp_path / "a.tif"),
                str(tmp_path / "out" / "a.tif"),
                "--tile_px=64",
                "--overlap_px=8",
            ]
        )
    assert caught.value.code == 143
    assert any(path.name.startswith(".partial-") and not path.suffix for path in seen)
    assert list((tmp_path / "out").iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is before


class Video:
    """In place of `translate.video`, whose own tests are elsewhere."""

    HALF_LIFE_FRAMES = 7.0

    def __init__(self):
        self.calls = []

    def translate_video(self, network, size_divisor_px, source, target, **options):
        self.calls.append((size_divisor_px, source, target, options))
        target.write_bytes(b"translated")
        return 3


@pytest.fixture
def video(monkeypatch):
    baseline = Video()
    monkeypatch.setattr(translation.__name__, baseline)
    monkeypatch.setattr(translate, "is_video", lambda path: path.suffix == ".video")
    monkeypatch.setattr(translate, "probe", lambda path: path)
    for name in ("require", "require_written"):
        monkeypatch.setattr(translate, name, lambda *_: None)
    return baseline


def test_a_video_is_translated_as_a_video(saved, tmp_path, video, capsys):
    source, target = tmp_path / "a.video", tmp_path / "b.video"
    source.write_bytes(b"video")
    assert translate.main([str(saved), str(source), str(target)]) == 0
    assert f"3 frames translated to {target}" in capsys.readouterr().out
    words = [str(saved), str(source), str(target), "--quiet"]
    with refused("exists", match="exists already; give --overwrite"):
        translate.main(words)
    assert translate.main([*words, "--skip_existing"]) == 0
    assert translate.main([*words, "--overwrite", "--temporal_half_life_frames=0"]) == 0
    with refused("exists", match=r"a\.video is the input itself, which would be lost"):
        translate.main([str(saved), str(source), str(source), "--overwrite"])
    (tmp_path / "out").mkdir()
    assert translate.main([str(saved), str(source), str(tmp_path / "out"), "--quiet"]) == 0
    plain = {"half_life_frames": 7.0, "scale": FULL, "show_progress": False}
    assert video.calls == [
        (4, source, target, plain),
        (4, source, target, {**plain, "half_life_frames": 0.0}),
        (4, source, tmp_path / "out" / "a.video", plain),
    ]


@pytest.mark.parametrize(
    ("words", "code", "field", "message"),
    [
        (["a.png", "--tile_px=30", "--overlap_px=0"], "invalid", "--tile_px", "does not do"),
        (["a.png", "--tile_px=-1"], "invalid", "--tile_px", "must be 0 or more, and is -1"),
        (["a.png", "--batch_size=-1"], "invalid", "--batch_size", "must be 0 or more"),
        (
            ["a.png", "--tile_px=64", "--overlap_px=8", "--batch_size=2"],
            "mismatch",
            "--batch_size",
            "leave it out with --tile_px",
        ),
        (
            ["a.png", "--half_life_frames=2"],
            "mismatch",
            "--temporal_half_life_frames",
            "is for videos",
        ),
        (
            ["a.video", "--temporal_half_life_frames=-2"],
            "invalid",
            "--temporal_half_life_frames",
            "must be 0 or more, and is -2",
        ),
        (["a.video", "--tile_px=64"], "mismatch", "--tile_px", "is for images, and .*a.video is"),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(
    saved, folder, tmp_path, video, words, code, field, message
):
    name, *options = words
    shutil.copy(folder / "a.png", tmp_path / name)
    with refused(["invalid", "mismatch"], match=message) as caught:
        translate.main(
            [str(saved), str(tmp_path / name), str(tmp_path / "o.png"), "--quiet", *options]
        )
    assert "\n" not in str(caught.value)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert not (tmp_path / "o.png").exists()
