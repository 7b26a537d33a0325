"""The browser page: its files, models.json, and the headers sent with them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cyclegan_tf.images.ranges import RangePair
from cyclegan_tf.serve.models.limits import Limits
from cyclegan_tf.serve.models.versions import DEFAULT_SIGNATURE, ENCODED_SIGNATURE, ModelVersion

FOLDER = Path(__file__).resolve().parents[2] / "page"
INDEX = "index.html"
LABELS = {"xy": "A to B", "yx": "B to A"}
_LONGEST_LABEL = 80

SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; "
    "style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self' "
    "blob:; worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
}
"""Sent with every answer."""

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".ico": "image/vnd.microsoft.icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
}


def page_files(folder: Path = FOLDER) -> dict[str, Path]:
    """Find every file of the page by its address, which is all that can be asked for.

    Files of Python and names that begin with a dot are left out.
    """
    found = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }
    return {
        name: path
        for name, path in found.items()
        if path.suffix not in (".py", ".pyc") and not re.search(r"(^|/)(\.|__pycache__)", name)
    }


def content_type(name: str) -> str:
    """The type of a file of the page, by its suffix."""
    return _TYPES.get(Path(name).suffix.lower(), "application/octet-stream")


def models_document(
    newest: Iterable[ModelVersion], limits: Limits, loading: bool = False
) -> dict[str, Any]:
    """Build models.json for a page whose engine is this server.

    Args:
      newest: the version of each model that is served by default.
      limits: what an image may be; sent, so that a page can make a larger one smaller.
      loading: whether more models are to come; a page then asks again.
    """
    versions = list(newest)
    models = [_entry(version) for version in versions]
    stems = {re.sub(r"_(xy|yx)$", "", model["name"]) for model in models}
    sent = {name: getattr(limits, name) for name in ("max_side", "max_body_bytes")}
    is_scaled = all(version.limits(limits, ENCODED_SIGNATURE).scale for version in versions)
    sent["max_pixels"] = limits.max_image_pixels if versions and is_scaled else limits.max_pixels
    return {
        "title": ", ".join(sorted(stems)) or "no model",
        "engine": "server",
        "models": models,
        "loading": loading,
        "limits": sent,
    }


def _entry(version: ModelVersion) -> dict[str, Any]:
    named = re.search(r"_(xy|yx)$", version.model)
    direction = version.card.get("direction", named[1] if named else None)
    signature = version.signatures.get(DEFAULT_SIGNATURE)
    shapes = [*signature.inputs.values(), *signature.outputs.values()] if signature else []
    channels = [spec.shape[-1] for spec in shapes if spec.shape.rank == 4]
    return {
        "name": version.model,
        "direction": direction,
        "label": _label(version, direction),
        **_range(version),
        "version": version.number,
        "input_channels": channels[0] if channels else 3,
        "output_channels": channels[-1] if channels else 3,
        "bytes": version.size_bytes,
        "sha256": version.sha256,
    }


def _range(version: ModelVersion) -> dict[str, str]:
    """What black and white stand for, of a model trained on numbers."""
    words = RangePair.from_dict(version.card.get("value_ranges")).in_words()
    return {"range": words} if words else {}


def _label(version: ModelVersion, direction: str | None) -> str:
    """The card's words for the direction, which an export of an earlier version has not."""
    label = version.card.get("label")
    if isinstance(label, str) and 0 < len(label) <= _LONGEST_LABEL:
        return label
    return LABELS.get(str(direction), version.model)
