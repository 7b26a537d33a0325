"""Where things fetched from elsewhere are kept between runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder(name: str) -> Path:
    """The folder of one kind of things, below XDG_CACHE_HOME or the platform's usual folder.

    Args:
      name: of the kind.

    Example:
      >>> cache_folder("litertjs").parts[-2:]
      ('cyclegan_tf', 'litertjs')
    """
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if given.is_absolute():
        base = given
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path.home() / ".cache"
    return base / "cyclegan_tf" / name
