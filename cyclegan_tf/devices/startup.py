"""TensorFlow's start: what it prints, and how Python spends the time."""

from __future__ import annotations

import contextlib
import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def suppress_startup_logs() -> Iterator[None]:
    """Hold back what TensorFlow writes to standard error while it starts.

    No setting of its own does. It is shown after all when starting fails, or when the machine has
    an NVIDIA device: then these lines say why it is not used.
    """
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        failed = True
        try:
            with without_garbage_collection():
                yield
            failed = False
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            if failed or Path("/dev/nvidiactl").exists():
                held.seek(0)
                os.write(2, held.read())


@contextlib.contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Look for no garbage in what stays: modules that are imported, graphs that are traced.

    Python would do so thousands of times, for a tenth of the time; afterwards it leaves out what is
    there.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()
            gc.enable()
