"""Features of real images, kept between runs."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cyclegan_tf.atomic import atomic_file
from cyclegan_tf.features.extractor import Extractor
from cyclegan_tf.foreign.cache import cache_folder

KEPT_FILES = 200


class CachedFeatures:
    """Computes the features of a set of images once, whoever asks in whatever run.

    A set is known by its pixels: other names, folders or dates change nothing, and one pixel does.

    Args:
      extractor: computes what is not there.
      protocol: of the features; another one is another cache.
      folder: of the files; None takes the user's cache. Where it cannot be written, nothing is
        kept.

    Example:
      >>> cached = CachedFeatures(open_lite0(), lite0.PROTOCOL)
      >>> cached.features(images).shape
      (100, 1280)
    """

    def __init__(self, extractor: Extractor, protocol: str, folder: Path | None = None) -> None:
        self._extractor, self._protocol = extractor, protocol
        self._folder = cache_folder("features") if folder is None else folder

    def features(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Give the features of images, float32 (N, D); see `Extractor.features`."""
        path = self._folder / f"{self._key(images)}.npy"
        # what is damaged is computed anew
        with contextlib.suppress(Exception):
            found = np.load(path, allow_pickle=False)
            if found.ndim == 2 and len(found) == len(images) and np.isfinite(found).all():
                return found
        computed = self._extractor.features(images)
        with contextlib.suppress(OSError):
            self._keep(path, computed)
        return computed

    def _key(self, images: Sequence[np.ndarray]) -> str:
        digest = hashlib.sha256(self._protocol.encode())
        for image in images:
            digest.update(f"{image.dtype} {image.shape}".encode())
            digest.update(np.ascontiguousarray(image).data)
        return digest.hexdigest()

    def _keep(self, path: Path, features: np.ndarray) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as partial, partial.open("wb") as file:
            np.save(file, features)
        files = sorted(self._folder.glob("*.npy"), key=lambda each: each.stat().st_mtime)
        for old in files[:-KEPT_FILES]:
            old.unlink(missing_ok=True)
