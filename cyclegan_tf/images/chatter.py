"""What decoders write to standard error: caught, so that it can be said with the file's name.

libjpeg and libtiff write lines without a file's name to the descriptor of the process; none of
their callers hands them on. Python's libraries log and warn.

Needs no TensorFlow.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeVar

T = TypeVar("T")

# How lines of libjpeg and of libtiff begin; all others are passed on.
_OF_DECODERS = re.compile(
    rb"(Corrupt JPEG data|Premature end of (JPEG|input)|Inconsistent progression"
    rb"|Invalid (SOS parameters|component ID|progressive parameters|JPEG file structure)"
    rb"|Bogus (Huffman|JPEG|input|marker|sampling|DAC|DHT|DQT)|Empty (JPEG image|input file)"
    rb"|Unsupported (marker|JPEG|color conversion)|Not a JPEG file|JPEG datastream contains no"
    rb"|(Huffman|Quantization|Arithmetic) table 0x|Sampling factors too|Too many color components"
    rb"|Improper call to JPEG|Input file read error|PackBits\w*: "
    rb"|Sorry, |CCIR601 |Fractional sampling|Maximum supported image|Didn't expect more"
    rb"|Unknown Adobe color|Warning: unknown JFIF|TIFF\w*: |LZW\w*: |Fax\w*: |ZIP\w*: |PixarLog"
    rb"|JPEG\w*: |_TIFF\w*: |\S*tempfile\.tif: |\S+\.tiff?: (Warning|Error|Using|Cannot|Invalid))"
)
# Some cameras fill up to an even number of bytes before the end marker.
_HARMLESS = re.compile(r"Corrupt JPEG data: ([0-9]|1[0-6]) extraneous bytes before marker 0xd9")
_OF_JPEG = ("Corrupt JPEG", "Premature end of JPEG", "Inconsistent progression")


def silence_libraries() -> None:
    """Let Pillow and tifffile neither log to standard error nor warn there."""
    for name in ("PIL", "tifffile"):
        logging.getLogger(name).addHandler(logging.NullHandler())
    warnings.filterwarnings("ignore", module=r"(PIL|tifffile)\b")


def listen(decode: Callable[[], T]) -> tuple[T, list[str]]:
    """Call a decoder, and give its result with the lines that it wrote to standard error.

    Decoders run beside each other. Where one is heard, those that ran meanwhile run once more, each
    alone, which tells whose line it was.

    Args:
      decode: to be called once or twice.

    Raises:
      Exception: what the decoder raises; its lines are dropped.
    """
    with _ear.listening() as heard:
        result = decode()
    if not heard:
        return result, []
    with _ear.listening(alone=True) as heard:
        result = decode()
    return result, heard


def unheard() -> contextlib.AbstractContextManager:
    """Drop, within a `with` block, the lines of decoders whose images were looked through before.

    Callers of `listen` wait for its end where they have heard something themselves.
    """
    return _ear.listening()


def damage(lines: list[str]) -> str | None:
    """Of what libjpeg wrote, what means that pixels are wrong."""
    for line in lines:
        if line.startswith(_OF_JPEG) and not _HARMLESS.match(line):
            return line.removeprefix("Corrupt JPEG data: ")
    return None


class _Ear:
    """Standard error led into a file while decoders run."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._running = 0
        self._exclusive = False
        self._lines: list[str] = []
        self._read = 0
        self._file: BinaryIO | None = None
        self._terminal = -1

    @contextlib.contextmanager
    def listening(self, alone: bool = False) -> Iterator[list[str]]:
        """Gives a list, which holds afterwards what anyone wrote meanwhile.

        Args:
          alone: with nobody else running.
        """
        heard: list[str] = []
        with self._condition:
            self._condition.wait_for(lambda: not self._exclusive)
            if alone:
                self._exclusive = True
                self._condition.wait_for(lambda: not self._running)
            first = self._enter()
        try:
            yield heard
        finally:
            with self._condition:
                heard += self._leave(first)
                if alone:
                    self._exclusive = False
                    self._condition.notify_all()

    def _enter(self) -> int:
        if self._running == 0:
            self._lines = []
            self._redirect()
        self._running += 1
        return len(self._lines)

    def _leave(self, first: int) -> list[str]:
        self._sort_out()
        self._running -= 1
        heard = self._lines[first:]
        if self._running == 0:
            self._restore()
            self._condition.notify_all()
        return heard

    def _redirect(self) -> None:
        if not hasattr(os, "pread"):  # on Windows nothing is heard
            return
        try:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
            self._terminal = os.dup(2)
            os.dup2(self._file.fileno(), 2)
            self._read = 0
        except OSError:  # without standard error, or no room: then nothing is heard
            self._close()

    def _restore(self) -> None:
        if self._terminal >= 0:
            os.dup2(self._terminal, 2)
            self._sort_out()
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._terminal >= 0:
            os.close(self._terminal)
        self._file, self._terminal = None, -1

    def _sort_out(self) -> None:
        """Keeps decoders' lines, and passes all else on."""
        if self._file is None:
            return
        # read at a place: the descriptor that is written to shares the file's position
        size = os.fstat(self._file.fileno()).st_size
        data = os.pread(self._file.fileno(), size - self._read, self._read)
        self._read += len(data)
        others = b""
        for line in data.splitlines(keepends=True):
            if _OF_DECODERS.match(line):
                self._lines.append(line.decode(errors="replace").strip())
            else:
                others += line
        if others:
            with contextlib.suppress(OSError):  # nobody reads them any more
                os.write(self._terminal, others)


_ear = _Ear()
