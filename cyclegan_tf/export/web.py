"""`OUT/web`: a static page that translates in the browser, with its models and LiteRT.js."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclegan_tf.atomic import atomic_directory, refuse_existing
from cyclegan_tf.errors import UserError
from cyclegan_tf.export.litertjs import NOTICE, VERSION, litertjs_files
from cyclegan_tf.export.outputs import MANIFEST

PAGE = Path(__file__).resolve().parents[1] / "page"
"""The page's own files, which a server with the engine "server" shows as they are."""
PAGE_FILES = (
    *("index.html", "style.css", "app.js", "camera.js", "compare.js", "detail.js"),
    *("engines.js", "files.js", "images.js", "problems.js", "worker.js"),
)
LICENSE = "Apache-2.0.txt"


@dataclass(frozen=True)
class PageModel:
    """One model of the page.

    Attributes:
      name: "<name>_<direction>", unique on the page; letters, digits, dot, dash and underscore.
      direction: "xy" or "yx".
      label: the text of its button, "horses to zebras".
      path: a .tflite file; float32 (1, size_px, size_px, channels) in [-1, 1], in and out.
      size_px: its side.
      input_channels: 1 or 3.
      output_channels: 1 or 3.
      aspect: width by height of training's images, before they were stretched to squares.
      range: what black and white are in the files of both domains; "" of photographs.

    Example:
      >>> path = Path("out/litert/zebra_xy/float16.tflite")
      >>> model = PageModel("zebra_xy", "xy", "horses to zebras", path, 256, 3, 3)
      >>> write_page(Path("out/web"), "zebra", [model])
    """

    name: str
    direction: str
    label: str
    path: Path
    size_px: int
    input_channels: int
    output_channels: int
    aspect: float = 1.0
    range: str = ""


def write_page(
    out: Path,
    title: str,
    models: Sequence[PageModel],
    litertjs_dir: Path | None = None,
    replace: bool = False,
) -> None:
    """Write a page's folder, to be put behind any static web server.

    LiteRT.js is fetched by `npm pack`, verified, and kept in the user's cache folder for the next
    time.

    Args:
      out: the folder to be, `OUT/web` in an export; its parents are made if need be.
      title: the page's heading.
      models: one per direction, the one offered first in front.
      litertjs_dir: a folder that holds the two packages as .tgz files or as `node_modules`; None is
        cache or npm.
      replace: put the new page in the place of an older one, once it is whole.

    Raises:
      UserError: there is a page already, a model cannot be shown in a browser, or LiteRT.js cannot
        be had.
    """
    check_models(models)
    refuse_existing(out, replace, MANIFEST)
    runtime = litertjs_files(litertjs_dir)
    with atomic_directory(out, replace, MANIFEST) as folder:
        for name in PAGE_FILES:
            shutil.copyfile(PAGE / name, folder / name)
        for name, content in runtime.items():
            _write(folder / "litert" / name, content)
        _write(folder / "litert" / "LICENSE.txt", (PAGE / LICENSE).read_bytes())
        _write(folder / "litert" / "NOTICE.txt", NOTICE.encode())
        entries = [_copy_model(model, folder) for model in models]
        text = json.dumps(manifest_of(title, entries, runtime), indent=1, ensure_ascii=False)
        _write(folder / MANIFEST, f"{text}\n".encode())


def manifest_of(
    title: str, models: Sequence[Mapping[str, Any]], runtime: Mapping[str, bytes]
) -> dict[str, Any]:
    """What a page offers, models.json.

    Args:
      title: the page's heading.
      models: entries, see `model_entry`.
      runtime: LiteRT.js by path below `litert/`, whose sizes a page shows.
    """
    sizes = {
        Path(name).name: len(content) for name, content in runtime.items() if name.endswith(".wasm")
    }
    return {
        "title": title,
        "engine": "litert",
        "models": models,
        "runtime": {"name": "LiteRT.js", "version": VERSION, "bytes": sizes},
    }


def check_models(models: Sequence[PageModel]) -> None:
    """Check that a browser can show these models, on one page.

    Raises:
      UserError: one cannot be shown, two have one name, or there is none.
    """
    if not models:
        raise UserError("a page needs at least one model.", code="missing", field="models")
    names = [model.name for model in models]
    if len(set(names)) != len(names):
        raise UserError(
            f"two models of the page have one name: {', '.join(names)}.",
            code="invalid",
            field="name",
        )
    for model in models:
        _check_model(model)


def _check_model(model: PageModel) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", model.name):
        raise UserError(
            f"{model.name!r} cannot name a file on every server; use letters, digits, - and _.",
            code="invalid",
            field="name",
        )
    if not {model.input_channels, model.output_channels} <= {1, 3}:
        channels = f"{model.input_channels} and {model.output_channels}"
        raise UserError(
            f"{model.name} has {channels} channels, and a browser shows images of 1 or 3.",
            code="unsupported",
            field=model.name,
        )
    if not model.path.is_file():
        raise UserError(
            f"{model.path} is no file; export LiteRT first.",
            code="missing",
            field=str(model.path),
        )


def model_entry(model: PageModel, content: bytes) -> dict[str, Any]:
    """A model as models.json lists it.

    Args:
      model: as it is offered.
      content: its .tflite file.
    """
    return {
        "name": model.name,
        "direction": model.direction,
        "label": model.label,
        **({"range": model.range} if model.range else {}),
        "file": f"models/{model.name}.tflite",
        "size_px": model.size_px,
        "aspect": model.aspect,
        "input_channels": model.input_channels,
        "output_channels": model.output_channels,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _copy_model(model: PageModel, folder: Path) -> dict[str, Any]:
    content = model.path.read_bytes()
    entry = model_entry(model, content)
    _write(folder / entry["file"], content)
    return entry


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
