"""Translates videos frame by frame, without flicker, keeping sound and times."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from cyclegan_tf.atomic import atomic_file
from cyclegan_tf.errors import UserError
from cyclegan_tf.images.training_scale import FULL, TrainingScale
from cyclegan_tf.translate.video.frames import HALF_LIFE_FRAMES, FrameTranslator
from cyclegan_tf.translate.video.probe import (
    EXTENSIONS,
    VideoInfo,
    is_video,
    open_container,
    probe,
    require,
    require_written,
)

__all__ = ["EXTENSIONS", "HALF_LIFE_FRAMES", "is_video", "require", "translate_video"]


@dataclass(frozen=True)
class _Format:
    """How videos of a suffix are written."""

    container: str
    encoder: str
    options: dict[str, str]
    pixels: str = "yuv420p"
    pixels_of_odd_sizes: str = "yuv444p"
    container_options: dict[str, str] | None = None


_H264 = {"crf": "18", "preset": "medium"}
_VP9 = {"crf": "24", "deadline": "good", "cpu-used": "4", "row-mt": "1"}
# The index comes first, so that a browser can begin before it has everything.
_FAST_START = {"movflags": "faststart"}
_FORMATS = {
    ".mp4": _Format("mp4", "libx264", _H264, container_options=_FAST_START),
    ".m4v": _Format("mp4", "libx264", _H264, container_options=_FAST_START),
    ".mov": _Format("mov", "libx264", _H264, container_options=_FAST_START),
    ".mkv": _Format("matroska", "libx264", _H264),
    ".webm": _Format("webm", "libvpx-vp9", _VP9, pixels_of_odd_sizes="yuv420p"),
}
# FFmpeg's numbers for the matrix between RGB and YUV: as files name them, and as its converter
# does.
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
_UNSPECIFIED, _BT601, _LIMITED_RANGE = 2, 5, 1


def translate_video(
    network: keras.Model,
    size_divisor_px: int,
    source: Path | VideoInfo,
    target: Path,
    *,
    half_life_frames: float = HALF_LIFE_FRAMES,
    scale: TrainingScale = FULL,
    show_progress: bool = False,
) -> int:
    """Translate a video into a video, which appears whole or not at all, in place of an older one.

    Kept: size, the time of each frame (also of varying rates), every sound track packet by packet,
    rotation, shape of pixels, color tags, chapters and titles. The network sees frames upright, 8
    bits per channel. The video's first video stream is taken; subtitles are left out. Written as
    H.264 (mp4, m4v, mov, mkv) or VP9 (webm), in 4:2:0; H.264 of an odd width or height in 4:4:4,
    which 4:2:0 cannot hold and some players do not show.
    One frame is in memory at a time, besides the few that decoder and encoder hold back to sort;
    these run in threads of their own beside the network.

    Args:
      network: float (1, H, W, 3) in [-1, 1] -> float32 of the same size.
      size_divisor_px: sides the network takes are multiples of this.
      source: the video, or what `probe` said of it; read once completely before the first frame is
        translated, so that a broken one is reported at once.
      target: the video to be; its folder is made if need be.
      half_life_frames: as for `FrameTranslator`.
      scale: as for `FrameTranslator`.
      show_progress: a bar on standard error.

    Returns:
      The number of frames.

    Raises:
      UserError: PyAV is missing; the source is no video, is damaged or cut off; the target's suffix
        is not written or does not hold the source's sound; the network is not from colors to
        colors, or gave NaN; no room.
    """
    require()
    video_format = _format_of(target)
    _check(network, half_life_frames)
    video = source if isinstance(source, VideoInfo) else probe(source)
    translate = FrameTranslator(network, size_divisor_px, half_life_frames, scale)
    count = 0
    with contextlib.ExitStack() as stack:
        with _writing(target):
            partial = stack.enter_context(atomic_file(target))
        bar = stack.enter_context(tqdm(total=video.frames, unit="frame", disable=not show_progress))
        for _ in _written(video, video_format, target, partial, translate):
            count += 1
            bar.update()
    return count


def _check(network: keras.Model, half_life_frames: float) -> None:
    """Refuse networks of other channels than three, and half-lives that are none."""
    if (network.input_shape[-1], network.output_shape[-1]) != (3, 3):
        raise UserError(
            "Videos need a generator from 3 channels to 3, but this one takes "
            f"{network.input_shape[-1]} and gives {network.output_shape[-1]}; translate images "
            "instead.",
            code="unsupported",
        )
    if not (half_life_frames >= 0 and math.isfinite(half_life_frames)):
        raise UserError(
            f"The half-life must be 0 frames or more, and is {half_life_frames:g}.",
            field="--temporal_half_life_frames",
        )


def _format_of(target: Path) -> _Format:
    require_written(target)
    return _FORMATS[target.suffix.lower()]


def _written(
    video: VideoInfo,
    video_format: _Format,
    target: Path,
    partial: Path,
    translate: Callable[[np.ndarray], np.ndarray],
) -> Iterator[None]:
    """Writes the translated video to `partial`; yields after each frame."""
    import av

    with contextlib.ExitStack() as stack:
        container: Any = stack.enter_context(open_container(video.path))
        with _writing(target):
            output: Any = open_container(
                partial,
                "w",
                format=video_format.container,
                container_options=video_format.container_options,
            )
        stack.callback(_close, output, target)
        with _writing(target):
            streams = _copied_streams(video, video_format, target, container, output)
        image, last_pts = streams[video.stream], None
        container.streams[video.stream].thread_type = "AUTO"
        for item in _in_order(container, list(streams), video):
            if isinstance(item, av.Packet):
                item.stream = streams[item.stream_index]
                with _writing(target):
                    output.mux(item)
                continue
            frame = _translate_frame(item, video, translate, image.pix_fmt)
            last_pts = frame.pts = _time_of(item, video, last_pts)
            frame.time_base = video.time_base
            with _writing(target):
                output.mux(image.encode(frame))
            yield
        with _writing(target):
            output.mux(image.encode(None))


@contextlib.contextmanager
def _writing(target: Path) -> Iterator[None]:
    import av

    try:
        yield
    except (av.error.FFmpegError, OSError) as error:
        raise UserError(
            f"{target} cannot be written ({error.strerror or error}).",
            code="unwritable",
            field=str(target),
        ) from error


def _close(output: Any, target: Path) -> None:
    with _writing(target):
        output.close()


def _copied_streams(
    video: VideoInfo, video_format: _Format, target: Path, container: Any, output: Any
) -> dict[int, Any]:
    """Start the file; return its streams by their number in the video, in the video's order."""
    streams = {}
    for stream in container.streams:
        if stream.index == video.stream:
            streams[stream.index] = _add_image(output, video, video_format)
        elif stream.type == "audio":
            streams[stream.index] = _add_sound(output, stream, target)
    output.metadata.update(container.metadata)
    output.set_chapters(container.chapters())
    output.start_encoding()
    return streams


def _in_order(container: Any, streams: list[int], video: VideoInfo) -> Iterator[Any]:
    """Yield packets of sound and frames of the image, as the file has them."""
    import av

    try:
        for packet in container.demux([container.streams[index] for index in streams]):
            if packet.stream_index == video.stream:
                yield from packet.decode()
            elif packet.size:
                yield packet
    except av.error.FFmpegError as error:
        raise UserError(
            f"{video.path} is damaged ({error.strerror}); nothing was kept, give another video.",
            code="unreadable",
            field=str(video.path),
        ) from error


def _add_image(output: Any, video: VideoInfo, video_format: _Format) -> Any:
    first = video.first
    stream = output.add_stream(
        video_format.encoder, rate=video.rate, options=dict(video_format.options)
    )
    stream.width, stream.height = first.width, first.height
    is_even = first.width % 2 == 0 and first.height % 2 == 0
    stream.pix_fmt = video_format.pixels if is_even else video_format.pixels_of_odd_sizes
    stream.time_base = stream.codec_context.time_base = video.time_base
    if video.pixel_aspect:
        stream.codec_context.sample_aspect_ratio = video.pixel_aspect
    if video.matrix:
        stream.set_display_matrix(video.matrix)
    stream.codec_context.color_range = _LIMITED_RANGE
    stream.codec_context.colorspace = (
        first.colorspace if first.colorspace in _MATRICES else _UNSPECIFIED
    )
    stream.codec_context.color_primaries = first.color_primaries
    stream.codec_context.color_trc = first.color_trc
    return stream


def _add_sound(output: Any, sound: Any, target: Path) -> Any:
    try:
        stream = output.add_stream_from_template(sound)
    except ValueError as error:
        raise UserError(
            f"{target.suffix} files do not hold sound of the kind {sound.codec_context.name}, "
            "which would be copied; give the output the ending .mkv, which holds any.",
            code="unsupported",
            field=str(target),
        ) from error
    stream.metadata.update(sound.metadata)
    stream.disposition = sound.disposition
    return stream


def _translate_frame(
    frame: Any, video: VideoInfo, translate: Callable[[np.ndarray], np.ndarray], pix_fmt: str
) -> Any:
    """Translate a frame, ready for the encoder but for its time."""
    import av
    from av.video.reformatter import Interpolation as Way

    # FFmpeg's faster conversions to RGB and back make an image darker by one pixel value.
    way = Way.BICUBIC | Way.ACCURATE_RND | Way.FULL_CHR_H_INT | Way.FULL_CHR_H_INP
    matrix = _MATRICES.get(video.first.colorspace, _BT601)
    size = {"width": video.first.width, "height": video.first.height}
    pixels = frame.to_ndarray(format="rgb24", src_colorspace=matrix, interpolation=way, **size)
    upright = np.ascontiguousarray(np.rot90(pixels, video.quarter_turns))
    turned_back = np.ascontiguousarray(np.rot90(translate(upright), -video.quarter_turns))
    colors = av.VideoFrame.from_ndarray(turned_back, format="rgb24")
    return colors.reformat(
        format=pix_fmt,
        dst_colorspace=matrix,
        dst_color_range=_LIMITED_RANGE,
        interpolation=int(way),
    )


def _time_of(frame: Any, video: VideoInfo, last_pts: int | None) -> int:
    """Return when the frame is shown, in the video's units; after the last one, for encoders."""
    step = max(1, round(1 / (video.rate * video.time_base)))
    following = 0 if last_pts is None else last_pts + step
    pts = (
        following
        if frame.pts is None
        else round(frame.pts * (frame.time_base or video.time_base) / video.time_base)
    )
    return pts if last_pts is None else max(pts, last_pts + 1)
