"""What is known of a video before it is translated, and one sentence for each that cannot be."""

import importlib.util
from fractions import Fraction
from pathlib import Path

import pytest

from cyclegan_tf.errors import UserError
from cyclegan_tf.translate.video import probe as video_probe
from cyclegan_tf.translate.video.probe import frame_size, open_container, probe

pytest.importorskip("av", reason='videos need PyAV: pip install ".[video]"')

from tests.helpers.videos import images, write_video


def test_size_rate_and_count(tmp_path):
    video = probe(write_video(tmp_path / "a.mp4", images(7), sounds=["aac"]))
    assert (video.first.width, video.first.height, video.frames, video.rate) == (48, 32, 7, 30)
    assert (video.quarter_turns, video.matrix) == (0, None)
    assert frame_size(tmp_path / "a.mp4") == (32, 48)


@pytest.mark.parametrize(("degrees", "quarters"), [(90, 1), (180, 2), (-90, 3)])
def test_turned_videos(tmp_path, degrees, quarters):
    video = probe(
        write_video(tmp_path / "a.mp4", images(2), turned=degrees, pixel_aspect=Fraction(4, 3))
    )
    assert video.quarter_turns == quarters
    assert len(video.matrix) == 9
    assert video.pixel_aspect == Fraction(4, 3)


@pytest.mark.parametrize(
    ("name", "options"), [("a.mp4", {"movflags": "faststart"}), ("a.mkv", None), ("a.mp4", None)]
)
def test_a_video_cut_off_is_refused_before_it_is_translated(tmp_path, name, options):
    path = write_video(tmp_path / name, images(60), sounds=["aac"], container_options=options)
    assert probe(path).frames == 60
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    with pytest.raises(
        UserError, match=r"(is cut off: of 2\.0 s .* it holds 1\.\d s|damaged or cut off)"
    ) as caught:
        probe(path)
    assert "\n" not in str(caught.value)


def test_what_is_no_video(tmp_path):
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    pointer = tmp_path / "pointer.mp4"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\nsize 9\n")
    with pytest.raises(UserError, match="git lfs pull"):
        probe(pointer)
    with pytest.raises(UserError, match=r"text\.mp4 is not a video, or is damaged"):
        probe(text)
    with pytest.raises(UserError, match="does not exist"):
        probe(tmp_path / "none.mp4")
    import av

    with av.open(str(tmp_path / "sound.mkv"), "w") as output:
        track = output.add_stream("flac", rate=48000)
        from tests.helpers.videos import _tone

        for frame in _tone(0.2, 440):
            output.mux(track.encode(frame))
        output.mux(track.encode(None))
    with pytest.raises(UserError, match="holds no video"):
        probe(tmp_path / "sound.mkv")


def test_a_name_that_looks_like_an_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "take.mp4", images(2)).rename(tmp_path / "12:30.mp4")
    assert probe(Path("12:30.mp4")).frames == 2
    with open_container(Path("new:1.mp4"), "w", format="mp4") as output:
        output.add_stream("libx264", rate=30, width=32, height=32)
        output.start_encoding()
    assert (tmp_path / "new:1.mp4").is_file()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_a_title_in_latin_1(tmp_path, suffix):
    path = tmp_path / f"title{suffix}"
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    pixels = "yuv420p" if suffix == ".avi" else "yuv444p"
    write_video(path, images(2), codec=codec, pix_fmt=pixels, title="gar\u00e7on")
    data = path.read_bytes()
    assert "gar\u00e7on".encode() in data
    # as long as before: c3 a7 is UTF-8, e7 Latin-1
    path.write_bytes(data.replace("gar\u00e7on".encode(), "gar\u00e7on!".encode("latin-1")))
    assert probe(path).frames == 2
    with open_container(path) as container:
        assert container.metadata["title"] == "gar\u00e7on!"


def test_without_pyav_the_message_says_how_to_get_it(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "av" else found(name)
    )
    with pytest.raises(UserError, match=r'pip install "\.\[video\]"'):
        video_probe.require()
