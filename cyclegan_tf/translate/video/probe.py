"""Reads what a video is before its frames are translated: streams, tags, whether it is whole."""

from __future__ import annotations

import codecs
import importlib.util
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cyclegan_tf.errors import UserError, install_command
from cyclegan_tf.foreign.content import refuse_foreign_file

# A video that ends so much earlier than it says is taken for cut off; the last packet's own length
# is often not given.
_MISSING_SECONDS = 0.5
_MISSING_FRAMES = 0.02


EXTENSIONS = frozenset({".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v"})
"""Suffixes of videos, lower case."""


WRITTEN_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm")
"""Suffixes of the videos that can be written, lower case."""


def require_written(path: Path) -> None:
    """Refuse a name under which no video is written.

    Raises:
      UserError: names the endings.
    """
    if path.suffix.lower() not in WRITTEN_SUFFIXES:
        raise UserError(
            f"{path}: videos are written as {', '.join(WRITTEN_SUFFIXES)}; give the output one of "
            "these endings.",
            code="unsupported",
            field=str(path),
        )


def is_video(path: Path) -> bool:
    """Return whether a file is a video by its name."""
    return path.suffix.lower() in EXTENSIONS


def require() -> None:
    """Check that PyAV is installed.

    Raises:
      UserError: it is not.
    """
    if importlib.util.find_spec("av") is None:
        raise UserError(
            f"Videos need PyAV: {install_command('video')}", code="dependency", field="av"
        )


def open_container(path: Path, mode: Literal["r", "w"] = "r", **options: Any) -> Any:
    """Open a video with PyAV, as a context manager.

    FFmpeg would take a name with a colon for an address, which an absolute path is not. Titles and
    names of chapters are UTF-8, or Latin-1 where they are not.

    Args:
      path: the file.
      mode: "r" or "w".
      **options: of `av.open`.

    Raises:
      av.error.FFmpegError: it cannot be opened.
    """
    import av

    return av.open(str(path.absolute()), mode, metadata_errors=_LATIN_1, **options)


def _as_latin_1(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


_LATIN_1 = "cyclegan_tf_latin_1"
codecs.register_error(_LATIN_1, _as_latin_1)


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before its frames are translated.

    Attributes:
      path: of the file.
      stream: number of the video stream.
      frames: of it, by its packets.
      first: the first frame, for its size and tags.
      rate: frames per second on average.
      time_base: seconds per unit of its time stamps.
      pixel_aspect: width of a pixel by its height; None if not given.
      quarter_turns: counter-clockwise, to make a frame upright.
      matrix: nine numbers that say the same to players; None where nothing is to be turned.

    Example:
      >>> info = probe(Path("clip.mp4"))
      >>> info.frames, info.first.width, info.first.height
    """

    path: Path
    stream: int
    frames: int
    first: Any
    rate: Fraction
    time_base: Fraction
    pixel_aspect: Fraction | None
    quarter_turns: int
    matrix: list[int] | None


def probe(path: Path) -> VideoInfo:
    """Read a video once without decoding more than its first frame.

    Raises:
      UserError: it is no video, has no frame, or ends before its end.
    """
    import av

    if not path.exists() or path.is_dir():
        raise UserError(f"{path} does not exist; give a video.", code="missing", field=str(path))
    refuse_foreign_file(path)
    try:
        with open_container(path) as container:
            video = _video_stream(container, path)
            first, frames, end, corrupt = _scan(container, video)
            _refuse_cut_off(path, container, video, frames, end, corrupt)
            if first is None:
                raise UserError(
                    f"{path} has no frame that can be decoded; give another video.",
                    code="unreadable",
                    field=str(path),
                )
            turned = first.side_data.get("DISPLAYMATRIX")
            return VideoInfo(
                path=path,
                stream=video.index,
                frames=frames,
                first=first,
                rate=video.average_rate or video.guessed_rate or Fraction(25),
                time_base=video.time_base,
                pixel_aspect=video.sample_aspect_ratio,
                quarter_turns=round(first.rotation / 90) % 4,
                matrix=None if turned is None else np.frombuffer(bytes(turned), np.int32).tolist(),
            )
    except av.error.FFmpegError as error:
        raise UserError(
            f"{path} is not a video, or is damaged or cut off ({error.strerror}); give another.",
            code="unreadable",
            field=str(path),
        ) from error


def frame_size(path: Path) -> tuple[int, int]:
    """Read height and width of the frames of a video that was found whole, as they are stored.

    Raises:
      UserError: it holds no video.
    """
    with open_container(path) as container:
        video = _video_stream(container, path)
        return video.height, video.width


def _scan(container: Any, video: Any) -> tuple[Any, int, float, bool]:
    """Read all packets; return the first frame, the frames, the end in s, and any damage."""
    first: Any = None
    frames, end, corrupt = 0, -math.inf, False
    for packet in container.demux():
        if packet.size:
            units = (packet.pts or packet.dts or 0) + (packet.duration or 0)
            end = max(end, float(units * packet.time_base))
            corrupt |= packet.is_corrupt
        if packet.stream_index == video.index and (packet.size or first is None):
            frames += bool(packet.size)
            first = first or next(iter(packet.decode()), None)
    return first, frames, end, corrupt


def _video_stream(container: Any, path: Path) -> Any:
    import av.stream

    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:  # the cover of a song
            if stream.codec_context is None:
                raise UserError(
                    f"{path}: there is no decoder for its images; convert it to H.264 first.",
                    code="unsupported",
                    field=str(path),
                )
            return stream
    raise UserError(f"{path} holds no video; give a video.", code="unsupported", field=str(path))


def _refuse_cut_off(
    path: Path, container: Any, video: Any, frames: int, end: float, corrupt: bool
) -> None:
    stated = ((container.duration or 0) + (container.start_time or 0)) / 1_000_000
    short = end < stated - _MISSING_SECONDS or frames < video.frames * (1 - _MISSING_FRAMES) - 1
    if corrupt or short:
        raise UserError(
            f"{path} is cut off: of {stated:.1f} s and {video.frames or 'an unknown number of'} "
            f"frames it holds {max(end, 0):.1f} s and {frames} frames; fetch it again, or keep "
            "what is there with `ffmpeg -i VIDEO -c copy NEW`.",
            code="unreadable",
            field=str(path),
        )
