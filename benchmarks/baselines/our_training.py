"""Our training command, whose minutes are of the processor instead of the clock.

    python -m benchmarks.baselines.our_training OPTIONS OF cyclegan_tf.train

Methods are compared on machines where other programs run too; what they take is then not counted.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from unittest import mock

from cyclegan_tf import cli
from cyclegan_tf.train import command, trainer


class ProcessorTime:
    """Stands where the trainer looks for the clock.

    Example:
      >>> seconds = ProcessorTime.monotonic()
    """

    monotonic = staticmethod(time.process_time)


def main(argv: Sequence[str]) -> int:
    """Train; return the command's exit status."""
    with mock.patch.object(trainer, "time", ProcessorTime):
        return command.main(argv)


if __name__ == "__main__":
    cli.run(main, sys.argv[1:])
