"""Videos: what is kept, that memory is bounded, and that nothing half-written stays."""

import dataclasses
import gc
import os
import weakref
from fractions import Fraction
from pathlib import Path

import keras
import numpy as np
import pytest

from cyclegan_tf import atomic
from cyclegan_tf.errors import UserError
from cyclegan_tf.networks import builders as networks
from cyclegan_tf.translate.translator import Translator
from cyclegan_tf.translate.video import probe
from cyclegan_tf.translate.video import translation as video

pytest.importorskip("av", reason='videos need PyAV: pip install ".[video]"')

from tests.helpers.errors import refused
from tests.helpers.videos import images, read_frames, read_sounds, write_video


class Negative(keras.layers.Layer):
    """White for black: the translation of every frame is known, and its own."""

    def call(self, inputs):
        return -inputs


def negative(channels=3):
    inputs = keras.Input((None, None, channels), name="input")
    return keras.Model(inputs, Negative()(inputs))


@pytest.fixture
def lossless(monkeypatch):
    # Without loss but for the rounding of colors; what is usual has a test of its own.
    options = {"libx264": {"crf": "0"}, "libvpx-vp9": {"lossless": "1"}}
    full = {"pixels": "yuv444p", "pixels_of_odd_sizes": "yuv444p"}
    formats = {
        suffix: dataclasses.replace(each, options=options[each.encoder], **full)
        for suffix, each in video._FORMATS.items()
    }
    monkeypatch.setattr(video, "_FORMATS", formats)


def test_every_suffix_that_is_offered_has_a_format():
    assert tuple(video._FORMATS) == probe.WRITTEN_SUFFIXES


def translate(source, target, network=None, **options):
    return video.translate_video(
        network or negative(), 1, source, target, **{"half_life_frames": 0, **options}
    )


def test_videos_are_known_by_their_names():
    assert all(video.is_video(Path(f"a.b.{name}")) for name in "mp4 MOV mkv avi webm m4v".split())
    assert not any(video.is_video(Path(name)) for name in ("mp4", "a.gif", "a.mp4.png", "b"))


@pytest.mark.parametrize(
    ("source", "target", "sounds"),
    [
        ("a.mp4", "b.mp4", ["aac", "aac"]),
        ("a.mkv", "b.mkv", ["flac", "libopus"]),
        ("a.mov", "b.m4v", ["aac"]),
        ("a.webm", "b.webm", ["libopus"]),
        ("a.mp4", "b.mov", []),
    ],
)
def test_frames_times_and_sound_are_kept(tmp_path, lossless, source, target, sounds):
    codec = "libvpx-vp9" if source.endswith("webm") else "libx264"
    write_video(tmp_path / source, images(12), codec=codec, sounds=sounds, pix_fmt="yuv420p")
    assert translate(tmp_path / source, tmp_path / target) == 12
    before, after = read_frames(tmp_path / source), read_frames(tmp_path / target)
    assert len(after) == 12
    assert [time for time, _ in after] == pytest.approx([time for time, _ in before], abs=1e-9)
    for (_, old), (_, new) in zip(before, after, strict=True):
        assert np.abs(255.0 - old - new).mean() < 1.5  # 4:2:0, twice rounded
        assert abs((255.0 - old - new).mean()) < 0.3
    assert read_sounds(tmp_path / target) == read_sounds(tmp_path / source)
    assert len(read_sounds(tmp_path / target)) == len(sounds)


@pytest.mark.parametrize(("target", "exact"), [("b.mp4", 1e-9), ("b.mkv", 6e-4), ("b.webm", 6e-4)])
def test_varying_frame_rates_are_kept(tmp_path, target, exact):
    times = [0, 3000, 4500, 12000, 12600, 90000, 93003]
    source = write_video(tmp_path / "a.mp4", images(7), times=times, time_base=Fraction(1, 90000))
    assert translate(source, tmp_path / target) == 7
    assert [time for time, _ in read_frames(tmp_path / target)] == pytest.approx(
        [t / 90000 for t in times], abs=exact
    )


def test_frames_held_back_and_out_of_order_come_out_in_order(tmp_path, lossless):
    write_video(tmp_path / "a.avi", images(9), codec="mpeg4", pix_fmt="yuv420p")
    assert translate(tmp_path / "a.avi", tmp_path / "b.mkv") == 9
    before, after = read_frames(tmp_path / "a.avi"), read_frames(tmp_path / "b.mkv")
    times = [time for time, _ in after]
    assert times == sorted(set(times))
    for (_, old), (_, new) in zip(before, after, strict=True):
        assert np.abs(255.0 - old - new).mean() < 1.5


@pytest.mark.parametrize("target", ["b.mp4", "b.webm"])
@pytest.mark.parametrize("size", [(31, 45), (32, 45), (31, 48)])
def test_odd_sizes_are_padded_for_the_network_and_kept(tmp_path, lossless, target, size):
    source = write_video(tmp_path / "a.mkv", images(3, *size))
    network = networks.build_generator(
        "resnet_6blocks", filters=2, blocks=1, seed=1, dtype_policy="float32"
    )
    video.translate_video(network, 4, source, tmp_path / target, half_life_frames=0)
    alone = Translator(network, 4)
    for (_, old), (_, new) in zip(read_frames(source), read_frames(tmp_path / target), strict=True):
        assert new.shape == (*size, 3)
        assert np.abs(alone(old).astype(int) - new).mean() < 1


@pytest.mark.parametrize(
    ("target", "size", "pixels"),
    [
        ("b.mp4", (32, 48), "yuv420p"),
        ("b.mp4", (31, 48), "yuv444p"),
        ("b.webm", (31, 45), "yuv420p"),
        ("b.mkv", (32, 45), "yuv444p"),
    ],
)
def test_as_usually_written(tmp_path, target, size, pixels):
    import av

    source = write_video(tmp_path / "a.mkv", images(4, *size))
    translate(source, tmp_path / target)
    with av.open(str(tmp_path / target)) as clip:
        stream = clip.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == (
            "vp9" if "webm" in target else "h264",
            pixels,
        )
        assert (stream.height, stream.width) == size
    for (_, old), (_, new) in zip(read_frames(source), read_frames(tmp_path / target), strict=True):
        assert np.abs(255.0 - old - new).mean() < 6
        assert abs((255.0 - old - new).mean()) < 1  # no cast, no darkening


@pytest.mark.parametrize(("matrix", "color_range"), [(1, 1), (1, 2), (5, 1), (5, 2)])
def test_colors_are_read_and_written_by_the_videos_tags(
    tmp_path, lossless, monkeypatch, matrix, color_range
):
    import av

    wanted = images(2)
    source = write_video(tmp_path / "a.mkv", wanted, matrix=matrix, color_range=color_range)
    seen = []
    given = video.FrameTranslator.__call__
    monkeypatch.setattr(
        video.FrameTranslator, "__call__", lambda self, f: seen.append(f.copy()) or given(self, f)
    )
    translate(source, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as clip:
        assert next(clip.decode(video=0)).colorspace == matrix
    for image, frame, (_, new) in zip(wanted, seen, read_frames(tmp_path / "b.mp4"), strict=True):
        assert np.abs(image.astype(int) - frame).max() <= 3
        assert abs((255.0 - image - new).mean()) < 0.7


def test_turned_videos_are_translated_upright_and_stay_turned(tmp_path, lossless, monkeypatch):
    import av

    frames = images(3)
    source = write_video(tmp_path / "a.mp4", frames, turned=90, pixel_aspect=Fraction(4, 3))
    seen = []
    given = video.FrameTranslator.__call__
    monkeypatch.setattr(
        video.FrameTranslator, "__call__", lambda self, f: seen.append(f.copy()) or given(self, f)
    )
    translate(source, tmp_path / "b.mp4")
    for frame, upright in zip(frames, seen, strict=True):
        assert np.abs(np.rot90(frame).astype(int) - upright).max() <= 3
    with av.open(str(tmp_path / "b.mp4")) as clip:
        first = next(clip.decode(video=0))
        assert (first.width, first.height, first.rotation) == (48, 32, 90)
        assert clip.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
    for frame, (_, new) in zip(frames, read_frames(tmp_path / "b.mp4"), strict=True):
        assert np.abs(255.0 - frame - new).mean() < 1.5


def test_statistics_follow_the_video(tmp_path, lossless):
    """Half-life 0 and 8 differ, and 8 is what `FrameTranslator` gives (its numbers:
    test_video_frames.py)."""
    frames = [frame // 2 + 10 * number for number, frame in enumerate(images(5))]
    source = write_video(tmp_path / "a.mkv", frames)
    network = networks.build_generator(
        "resnet_6blocks", filters=4, blocks=1, seed=2, dtype_policy="float32"
    )
    results = {}
    for half_life in (0, 8):
        video.translate_video(
            network, 4, source, tmp_path / f"{half_life}.mkv", half_life_frames=half_life
        )
        results[half_life] = [frame for _, frame in read_frames(tmp_path / f"{half_life}.mkv")]
        direct = video.FrameTranslator(network, 4, half_life)
        for (_, old), new in zip(read_frames(source), results[half_life], strict=True):
            assert np.abs(direct(old).astype(int) - new).mean() < 1.5
    assert np.abs(results[0][-1].astype(int) - results[8][-1]).mean() > 3


def test_one_frame_is_in_memory_at_a_time(tmp_path, monkeypatch):
    source = write_video(tmp_path / "a.mp4", images(40))
    alive, most = weakref.WeakSet(), [0]

    class Frame(np.ndarray):
        """An array that can be watched."""

    def noting(self, frame):
        gc.collect(0)
        copy = (255 - frame).view(Frame)
        alive.add(copy)
        most[0] = max(most[0], len(alive))
        return copy

    Frame.__hash__ = object.__hash__
    Frame.__eq__ = object.__eq__
    monkeypatch.setattr(video.FrameTranslator, "__call__", noting)
    assert translate(source, tmp_path / "b.mp4") == 40
    assert most[0] <= 2


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt, UserError])
def test_what_stops_half_way_leaves_nothing(tmp_path, monkeypatch, error):
    source = write_video(tmp_path / "a.mp4", images(10), sounds=["aac"])
    (tmp_path / "b.mp4").write_bytes(b"of yesterday")
    given, count = video.FrameTranslator.__call__, []

    def stopping(self, frame):
        count.append(1)
        if len(count) == 6:
            assert [name for name in leftovers(tmp_path) if name.startswith(".partial-")]
            raise error("stop")
        return given(self, frame)

    monkeypatch.setattr(video.FrameTranslator, "__call__", stopping)
    with pytest.raises(error):
        translate(source, tmp_path / "b.mp4")
    assert leftovers(tmp_path) == ["a.mp4", "b.mp4"]
    assert (tmp_path / "b.mp4").read_bytes() == b"of yesterday"


def test_a_video_damaged_in_the_middle_leaves_nothing(tmp_path):
    source = write_video(tmp_path / "a.mp4", images(30, 64, 64), codec="mpeg4", pix_fmt="yuv420p")
    data = bytearray(source.read_bytes())
    middle = slice(len(data) * 4 // 10, len(data) * 6 // 10)
    data[middle] = np.random.default_rng(0).bytes(middle.stop - middle.start)
    source.write_bytes(data)
    with refused("unreadable", match=r"a\.mp4 is damaged .*; nothing was kept"):
        translate(source, tmp_path / "b.mp4")
    assert leftovers(tmp_path) == ["a.mp4"]


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    source = write_video(tmp_path / "a.mp4", images(4))
    partial = tmp_path / ".partial.mkv"
    partial.symlink_to("/dev/full")
    monkeypatch.setattr(atomic, "partial_name", lambda *_: partial.name)
    with pytest.raises(UserError, match=r"cannot be written \(No space left on device\)") as caught:
        translate(source, tmp_path / "b.mkv")
    assert (caught.value.code, caught.value.field) == ("unwritable", str(tmp_path / "b.mkv"))
    assert leftovers(tmp_path) == ["a.mp4"]


@pytest.mark.parametrize(
    ("target", "options", "code", "message"),
    [
        ("b.avi", {}, "unsupported", r"b\.avi: videos are written as \.mp4"),
        ("b.webm", {}, "unsupported", r"\.webm files do not hold sound of the kind aac.*\.mkv"),
        ("b.mp4", {"network": negative(1)}, "unsupported", "this one takes 1 and gives 1"),
        ("b.mp4", {"half_life_frames": -1}, "invalid", "half-life must be 0 frames or more"),
        ("b.mp4", {"half_life_frames": float("nan")}, "invalid", "half-life must be 0 frames"),
        ("a.mp4/b.mp4", {}, "unwritable", r"b\.mp4 cannot be written"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, target, options, code, message):
    source = write_video(tmp_path / "a.mp4", images(3), sounds=["aac"])
    with refused(["invalid", "unsupported", "unwritable"], match=message) as caught:
        translate(source, tmp_path / target, **options)
    assert "\n" not in str(caught.value)
    assert caught.value.code == code
    assert leftovers(tmp_path) == ["a.mp4"]
