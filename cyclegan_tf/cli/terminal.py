"""What a command prints, and with which status it ends."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from cyclegan_tf.errors import TrainingStoppedError, UserError

BAD_INPUT = 2
FAILED = 1


def log_to_terminal(quiet: bool = False) -> None:
    """Print what the package logs: information on standard output, problems on standard error.

    Args:
      quiet: print warnings and errors only.
    """
    _print_anything()
    log = logging.getLogger("cyclegan_tf")
    if not any(isinstance(handler, _Terminal) for handler in log.handlers):
        log.addHandler(_Terminal())
    log.setLevel(logging.WARNING if quiet else logging.INFO)
    # Libraries that call `logging.info` give the root logger a handler: lines would come twice.
    log.propagate = False


def _print_anything() -> None:
    """Let names be printed that the terminal's encoding has no characters for, as escapes.

    A name of a file is bytes, which may be of any encoding or of none.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Python asks where a stream is, which one that has become a pipe since cannot say.
            with contextlib.suppress(OSError):
                stream.reconfigure(errors="backslashreplace")


class _Terminal(logging.Handler):
    """Write above a progress bar where there is one, to the streams of the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        problem = record.levelno >= logging.WARNING
        text = f"{record.levelname.lower()}: " * problem + self.format(record)
        stream = sys.stderr if problem else sys.stdout
        if "tqdm" in sys.modules:
            sys.modules["tqdm"].tqdm.write(text, file=stream)
        else:
            print(text, file=stream)
        stream.flush()


def run(main: Callable[[Sequence[str]], int], argv: Sequence[str] | None = None) -> NoReturn:
    """Run a command's `main` and exit with its status.

    A `UserError` becomes one sentence and status 2, a `TrainingStoppedError` status 1.

    Set CYCLEGAN_TF_TRACEBACK=1 to see where a sentence came from.

    Args:
      main: takes the words of the command line, returns the exit status.
      argv: as typed; None takes those of this process.
    """
    _print_anything()
    try:
        status = main(sys.argv[1:] if argv is None else argv)
    except UserError as error:
        if os.environ.get("CYCLEGAN_TF_TRACEBACK"):
            raise
        print(f"error: {error}", file=sys.stderr)
        status = FAILED if isinstance(error, TrainingStoppedError) else BAD_INPUT
    except BrokenPipeError:
        # The reader of our output went away (`| head`): not worth a traceback, and nothing can be
        # printed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 141
    except OSError as error:
        # A disk that fills up can do so at any write; what is written whole or not at all stays as
        # it was.
        if os.environ.get("CYCLEGAN_TF_TRACEBACK"):
            raise
        where = f" ({error.filename})" if error.filename else ""
        print(f"error: {error.strerror or error}{where}.", file=sys.stderr)
        status = BAD_INPUT
    except KeyboardInterrupt:
        print("stopped by Ctrl-C", file=sys.stderr)
        status = 130
    sys.stdout.flush()
    sys.exit(status)


@contextlib.contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM, which batch systems send, remove what is not finished; the status is 143."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set this
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
