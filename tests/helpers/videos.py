"""Small videos for tests, made with PyAV."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

THIRTIETH = Fraction(1, 30)


def images(count: int = 6, height: int = 32, width: int = 48) -> list[np.ndarray]:
    """Soft waves that move: uint8 (H, W, 3) each, no two alike."""
    y, x = np.mgrid[0:height, 0:width]
    return [
        np.stack(
            [
                128 + 90 * np.sin((x + 3 * t) / 9 + c) * np.cos((y - t) / 11 + 2 * c)
                for c in range(3)
            ],
            -1,
        ).astype(np.uint8)
        for t in range(count)
    ]


def write_video(
    path: Path,
    frames: Sequence[np.ndarray],
    *,
    times: Sequence[int] | None = None,
    time_base: Fraction = THIRTIETH,
    codec: str = "libx264",
    pix_fmt: str = "yuv444p",
    sounds: Sequence[str] = (),
    matrix: int = 1,
    color_range: int = 1,
    turned: int = 0,
    pixel_aspect: Fraction | None = None,
    container_options: dict[str, str] | None = None,
    title: str | None = None,
) -> Path:
    """Writes a video without loss but for the rounding of colors.

    Args:
      path: the file to be.
      frames: uint8 (H, W, 3) each.
      times: of the frames, in units of `time_base`; None is one after the other.
      time_base: seconds.
      codec: libx264, libvpx-vp9 or mpeg4 (that one with loss).
      pix_fmt: FFmpeg's name.
      sounds: a codec for each sound track.
      matrix: between RGB and YUV: 1 of BT.709, 5 of BT.601.
      color_range: 1 from 16 to 235, 2 from 0 to 255.
      turned: degrees counter-clockwise that players turn it.
      pixel_aspect: width of a pixel by its height.
      container_options: FFmpeg's.
      title: of the video.
    """
    import av
    from av.video.reformatter import Interpolation as Way

    options = {"libx264": {"crf": "0"}, "libvpx-vp9": {"lossless": "1"}, "mpeg4": {"qscale": "2"}}[
        codec
    ]
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w", container_options=container_options) as output:
        if title:
            output.metadata["title"] = title
        image: Any = output.add_stream(codec, rate=30, options=options, width=width, height=height)
        image.pix_fmt = pix_fmt
        image.codec_context.time_base = time_base
        image.codec_context.colorspace, image.codec_context.color_range = matrix, color_range
        if pixel_aspect:
            image.codec_context.sample_aspect_ratio = pixel_aspect
        if turned:
            image.set_display_rotation(turned)
        tracks: list[Any] = [output.add_stream(codec, rate=48000) for codec in sounds]
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(
                format=pix_fmt,
                dst_colorspace=matrix,
                dst_color_range=color_range,
                interpolation=int(
                    Way.BICUBIC | Way.ACCURATE_RND | Way.FULL_CHR_H_INT | Way.FULL_CHR_H_INP
                ),
            )
            frame.pts, frame.time_base = number if times is None else times[number], time_base
            output.mux(image.encode(frame))
        for number, track in enumerate(tracks):
            for frame in _tone(len(frames) / 30, 400 + 100 * number):
                output.mux(track.encode(frame))
            output.mux(track.encode(None))
        output.mux(image.encode(None))
    return path


def _tone(seconds: float, hertz: float):
    import av

    for start in range(0, int(48000 * seconds), 1024):
        wave = 9000 * np.sin(2 * np.pi * hertz * np.arange(start, start + 1024) / 48000)
        frame = av.AudioFrame.from_ndarray(
            np.repeat(wave.astype(np.int16), 2).reshape(1, -1), format="s16", layout="stereo"
        )
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        yield frame


def read_frames(path: Path) -> list[tuple[float, np.ndarray]]:
    """Each frame's time in seconds and its pixels, by the color tags of the file."""
    import av
    from av.video.reformatter import Interpolation as Way

    way = Way.BICUBIC | Way.ACCURATE_RND | Way.FULL_CHR_H_INT | Way.FULL_CHR_H_INP
    with av.open(str(path)) as video:
        return [
            (
                frame.time,
                frame.to_ndarray(
                    format="rgb24", src_colorspace=frame.colorspace, interpolation=way
                ),
            )
            for frame in video.decode(video=0)
        ]


def read_sounds(path: Path) -> list[list[tuple[float, bytes]]]:
    """Of each sound track the packets' times in seconds and bytes."""
    import av

    found = []
    with av.open(str(path)) as video:
        count = len(video.streams.audio)
    for index in range(count):
        with av.open(str(path)) as video:
            found.append(
                [
                    (float(Fraction(p.pts or 0) * p.time_base), bytes(p))
                    for p in video.demux(audio=index)
                    if p.size
                ]
            )
    return found
