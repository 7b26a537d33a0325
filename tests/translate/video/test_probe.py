"""What is known of a video before it is translated, and one sentence for each that cannot be."""

import importlib.util
from fractions import Fraction

import pytest

from cyclegan_tf.errors import UserError
from cyclegan_tf.translate.video import probe as video_probe
from cyclegan_tf.translate.video.probe import probe

pytest.importorskip("av", reason='videos need PyAV: pip install "cyclegan-tf[video]"')

from tests.helpers.videos import images, write_video


def test_size_rate_and_count(tmp_path):
    video = probe(write_video(tmp_path / "a.mp4", images(7), sounds=["aac"]))
    assert (video.first.width, video.first.height, video.frames, video.rate) == (48, 32, 7, 30)
    assert (video.quarter_turns, video.matrix) == (0, None)


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


def test_without_pyav_the_message_says_how_to_get_it(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "av" else found(name)
    )
    with pytest.raises(UserError, match=r'pip install "cyclegan-tf\[video\]"'):
        video_probe.require()
