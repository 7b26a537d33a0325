"""`OUT/web`: a static page that translates in the browser, with its models and LiteRT.js, whole or
not at all."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from cyclegan_tf import atomic as placing
from cyclegan_tf.errors import UserError

PAGE = Path(__file__).resolve().parent.parent / "page"
"""The page's own files, which a server with the engine "server" shows as they are."""
PAGE_FILES = (
    *(
        "index.html",
        "style.css",
        "app.js",
        "camera.js",
        "compare.js",
        "engines.js",
        "images.js",
        "problems.js",
    ),
    "worker.js",
)
LICENCE = "Apache-2.0.txt"

VERSION = "2.5.3"
NPM_TIMEOUT_S = 600


@dataclass(frozen=True)
class Package:
    """One npm package of LiteRT.js, at `VERSION`.

    Attributes:
      name: in the registry.
      tarball: the file name `npm pack` gives it.
      integrity: npm's "sha512-..." of the tarball.
      files: what the page loads, by path in the package -> path below `litert/`.
    """

    name: str
    tarball: str
    integrity: str
    files: Mapping[str, str]


# The fourth build, which waits by JavaScript promises, is for models that run on WebGPU in part;
# the page does not.
_BUILDS = ("litert_wasm_internal", "litert_wasm_compat_internal", "litert_wasm_threaded_internal")
_WASM = {
    f"wasm/{build}.{kind}": f"wasm/{build}.{kind}" for build in _BUILDS for kind in ("js", "wasm")
}
PACKAGES = (
    Package(
        "@litertjs/core",
        f"litertjs-core-{VERSION}.tgz",
        "sha512-PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
        {"dist/index.js": "index.js", **_WASM},
    ),
    Package(
        "@litertjs/wasm-utils",
        f"litertjs-wasm-utils-{VERSION}.tgz",
        "sha512-4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
        {"dist/index.js": "wasm-utils.js"},
    ),
)
_NOTICE = f"""LiteRT.js {VERSION}, Copyright Google LLC.
Under the Apache License, Version 2.0 (Apache-2.0), whose text is LICENSE.txt beside this file.

The files in this folder come from the npm packages
{"".join(f"  {package.name} {VERSION}{chr(10)}" for package in PACKAGES)}
Changed by cyclegan_tf: index.js imports wasm-utils.js by a relative path instead of by its
package's name, and the lines that name source maps are left out. The files in wasm/ are unchanged.
"""


@dataclass(frozen=True)
class PageModel:
    """One model of the page.

    Attributes:
      name: "<name>_<direction>", unique on the page; letters, digits, dot, dash and underscore.
      direction: "xy" or "yx".
      label: what people read, "horses to zebras".
      path: a .tflite file; float32 (1, size_px, size_px, channels) in [-1, 1], in and out.
      size_px: its side.
      input_channels: 1 or 3.
      output_channels: 1 or 3.
    """

    name: str
    direction: str
    label: str
    path: Path
    size_px: int
    input_channels: int
    output_channels: int


def write_page(
    out: Path,
    title: str,
    models: Sequence[PageModel],
    litertjs: Path | None = None,
    replace: bool = False,
) -> None:
    """Writes a page's folder, to be put behind any static web server.

    LiteRT.js is fetched by `npm pack`, verified, and kept in the user's cache folder for the next
    time.

    Args:
      out: the folder to be, `OUT/web` in an export; its parents are made if need be.
      title: the page's heading.
      models: one per direction, the one offered first in front.
      litertjs: a folder that holds the two packages as .tgz files or as `node_modules`; None is
        cache or npm.
      replace: put the new page in the place of an older one, once it is whole.

    Raises:
      UserError: there is a page already, a model cannot be shown in a browser, or LiteRT.js cannot
        be had.
    """
    _check_models(models)
    placing.refuse_existing(out, replace)
    if out.exists() and not (out / "models.json").is_file():
        raise UserError(
            f"{out} is not a page of this program (it has no models.json) and is left as it is."
        )
    runtime = litertjs_files(litertjs)
    with placing.atomic_directory(out, replace) as folder:
        for name in PAGE_FILES:
            shutil.copyfile(PAGE / name, folder / name)
        for name, content in runtime.items():
            _write(folder / "litert" / name, content)
        _write(folder / "litert" / "LICENSE.txt", (PAGE / LICENCE).read_bytes())
        _write(folder / "litert" / "NOTICE.txt", _NOTICE.encode())
        described = [_copy_model(model, folder) for model in models]
        sizes = {
            Path(name).name: len(content)
            for name, content in runtime.items()
            if name.endswith(".wasm")
        }
        manifest = {
            "title": title,
            "engine": "litert",
            "models": described,
            "runtime": {"name": "LiteRT.js", "version": VERSION, "bytes": sizes},
        }
        _write(
            folder / "models.json",
            (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode(),
        )


def litertjs_files(folder: Path | None = None) -> dict[str, bytes]:
    """LiteRT.js as the page loads it.

    Args:
      folder: where the packages lie; None is the cache, or npm if the cache has none.

    Returns:
      path below `litert/` -> content; index.js finds its companion by a relative path.

    Raises:
      UserError: it cannot be had, or is not what is expected.
    """
    files: dict[str, bytes] = {}
    for package in PACKAGES:
        found = _from_cache_or_npm(package) if folder is None else _from_folder(package, folder)
        absent = sorted(set(package.files) - set(found))
        if absent:
            raise UserError(
                f"the package {package.name} {VERSION} lacks {', '.join(absent)}; fetch it anew."
            )
        files |= {package.files[name]: found[name] for name in package.files}
    bare, relative = b'from "@litertjs/wasm-utils"', b'from "./wasm-utils.js"'
    if files["index.js"].count(bare) != 1:
        raise UserError(
            f"index.js of @litertjs/core is not that of {VERSION}, the one version this program "
            f"knows."
        )
    note = b"// Changed by cyclegan_tf: see NOTICE.txt.\n"
    files["index.js"] = note + _without_map(files["index.js"].replace(bare, relative))
    files["wasm-utils.js"] = note + _without_map(files["wasm-utils.js"])
    return files


def cache_folder() -> Path:
    """Where the two tarballs are kept between exports: below XDG_CACHE_HOME, or the platform's
    usual folder."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if given.is_absolute():
        base = given
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path.home() / ".cache"
    return base / "cyclegan_tf" / "litertjs"


def _check_models(models: Sequence[PageModel]) -> None:
    if not models:
        raise UserError("a page needs at least one model.")
    if len({model.name for model in models}) != len(models):
        raise UserError(
            f"two models of the page have one name: {', '.join(model.name for model in models)}."
        )
    for model in models:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", model.name):
            raise UserError(
                f"{model.name!r} cannot name a file on every server; use letters, digits, - and _."
            )
        if not {model.input_channels, model.output_channels} <= {1, 3}:
            channels = f"{model.input_channels} and {model.output_channels}"
            raise UserError(
                f"{model.name} has {channels} channels, and a browser shows images of 1 or 3."
            )
        if not model.path.is_file():
            raise UserError(f"{model.path} is no file; export LiteRT first.")


def _copy_model(model: PageModel, folder: Path) -> dict[str, Any]:
    name = f"models/{model.name}.tflite"
    content = model.path.read_bytes()
    _write(folder / name, content)
    return {
        "name": model.name,
        "direction": model.direction,
        "label": model.label,
        "file": name,
        "size_px": model.size_px,
        "input_channels": model.input_channels,
        "output_channels": model.output_channels,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _without_map(script: bytes) -> bytes:
    return re.sub(rb"(?m)^//# sourceMappingURL=.*\n?", b"", script)


def _from_folder(package: Package, folder: Path) -> dict[str, bytes]:
    tarball = folder / package.tarball
    if tarball.is_file():
        return _unpacked(package, _verified(package, tarball.read_bytes(), str(tarball)))
    for root in (folder / "node_modules" / package.name, folder / package.name):
        if (root / "package.json").is_file():
            with contextlib.suppress(ValueError, AttributeError):
                if json.loads((root / "package.json").read_bytes()).get("version") == VERSION:
                    return {
                        name: (root / name).read_bytes()
                        for name in package.files
                        if (root / name).is_file()
                    }
            raise UserError(
                f"{root} is not version {VERSION} of {package.name}, the one this program knows."
            )
    raise UserError(f"{folder} holds neither {package.tarball} nor node_modules/{package.name}.")


def _from_cache_or_npm(package: Package) -> dict[str, bytes]:
    kept = cache_folder() / package.tarball
    with contextlib.suppress(OSError, UserError):  # a damaged one is fetched anew
        return _unpacked(package, _verified(package, kept.read_bytes(), str(kept)))
    content = _verified(package, _packed_by_npm(package), f"{package.tarball} from npm")
    with contextlib.suppress(OSError):  # a cache that cannot be written is only slower
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_name(f".{kept.name}.{secrets.token_hex(4)}")
        partial.write_bytes(content)
        partial.replace(kept)
    return _unpacked(package, content)


def _packed_by_npm(package: Package) -> bytes:
    otherwise = (
        f"or run `npm pack {' '.join(f'{each.name}@{VERSION}' for each in PACKAGES)}` on another "
        "machine and name the folder of the two .tgz files with --litertjs."
    )
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(
            f"LiteRT.js comes from npm, which is not installed; install Node.js, {otherwise}"
        )
    with tempfile.TemporaryDirectory() as folder:
        # In a folder of its own, so that no package.json nearby matters.
        command = [
            npm,
            "pack",
            f"{package.name}@{VERSION}",
            "--pack-destination",
            folder,
            "--ignore-scripts",
        ]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=NPM_TIMEOUT_S,
                check=False,
            )
            said = [
                line
                for line in done.stderr.splitlines()
                if line.startswith("npm error") and "log of" not in line
            ]
            why = " ".join(
                " ".join(line.removeprefix("npm error").strip() for line in said).split()
            )[:300]
        except subprocess.TimeoutExpired:
            why = f"no answer within {NPM_TIMEOUT_S} s"
        tarball = Path(folder) / package.tarball
        if tarball.is_file():
            return tarball.read_bytes()
    reason = why or "it gave no reason"
    raise UserError(
        f"npm could not fetch {package.name} {VERSION} ({reason}); try again, {otherwise}"
    )


def _verified(package: Package, content: bytes, where: str) -> bytes:
    found = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    if found != package.integrity:
        raise UserError(
            f"{where} is not {package.name} {VERSION}: its checksum differs; delete it and fetch "
            f"the package anew."
        )
    return content


def _unpacked(package: Package, content: bytes) -> dict[str, bytes]:
    """The wanted files of an npm tarball, by path in the package. No name in it decides where
    anything is written."""
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for member in archive:
                path = PurePosixPath(member.name)
                if (
                    path.is_absolute()
                    or ".." in path.parts
                    or not (member.isreg() or member.isdir())
                ):
                    raise UserError(
                        f"{package.tarball} holds {member.name!r}, which no such package holds; "
                        f"not used."
                    )
                inner = "/".join(path.parts[1:])
                stream = archive.extractfile(member) if inner in package.files else None
                if stream is not None:
                    found[inner] = stream.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise UserError(
            f"{package.tarball} cannot be unpacked ({error}); fetch it anew."
        ) from error
    return found
