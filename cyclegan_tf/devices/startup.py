"""What TensorFlow prints while it starts."""

from __future__ import annotations

import contextlib
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
            yield
            failed = False
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            if failed or Path("/dev/nvidiactl").exists():
                held.seek(0)
                os.write(2, held.read())
