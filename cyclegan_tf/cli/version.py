"""`--version`, of this package and of what its results depend on."""

from __future__ import annotations

import argparse
import platform
from importlib import metadata
from typing import Any

_PACKAGES = {"cyclegan_tf": "cyclegan-tf", "TensorFlow": "tensorflow", "Keras": "keras"}


def version_text() -> str:
    """One line; imports none of what it names."""

    def version(distribution: str) -> str:
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            return "not installed"

    named = [f"{name} {version(distribution)}" for name, distribution in _PACKAGES.items()]
    return ", ".join([*named, f"Python {platform.python_version()}"])


class ShowVersion(argparse.Action):
    """Prints the versions and ends the program with status 0.

    Example:
      >>> parser.add_argument("--version", action=ShowVersion)
    """

    def __init__(self, option_strings: Any, **_: Any) -> None:
        super().__init__(
            option_strings,
            dest=argparse.SUPPRESS,
            default=argparse.SUPPRESS,
            nargs=0,
            help="Print the versions of this package, TensorFlow and Keras, and exit.",
        )

    def __call__(self, parser: Any, *_: Any) -> None:
        print(version_text())
        parser.exit()
