"""Fake npm packages of LiteRT.js on an otherwise empty PATH."""

import base64
import hashlib
import io
import shutil
import tarfile

from cyclegan_tf.export import litertjs

INDEX = (
    b'import { createWasmLib } from "@litertjs/wasm-utils";\nexport {};\n'
    b"//# sourceMappingURL=index.js.map\n"
)
WASM_UTILS = b"const createWasmLib = 1;\nexport {\n  createWasmLib\n};\n"
_NPM = """#!/bin/sh
echo "$2" >>{shelf}/asked
case $2 in *core*) f=core;; *) f=wasm-utils;; esac
cp {shelf}/litertjs-$f-{version}.tgz "$4" 2>/dev/null || {{
  echo "npm error code ENOTFOUND" >&2
  exit 1
}}
"""


def tarball(files, kind=tarfile.REGTYPE):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.type = len(content), kind
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def integrity(content):
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


def _content(package, name):
    if name != "dist/index.js":
        return name.encode()
    return INDEX if package == "@litertjs/core" else WASM_UTILS


def fake_contents():
    """What the two packages hold, as far as the page takes it."""
    return [
        {f"package/{name}": _content(package.name, name) for name in package.files}
        for package in litertjs.PACKAGES
    ]


def install(root, monkeypatch):
    """Makes the fake npm the only one, and an empty cache; returns the folder of its packages."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    shelf, programs = root / "shelf", root / "programs"
    shelf.mkdir()
    programs.mkdir()
    (programs / "npm").write_text(_NPM.format(shelf=shelf, version=litertjs.VERSION))
    (programs / "npm").chmod(0o755)
    for tool in ("sh", "cp"):
        (programs / tool).symlink_to(shutil.which(tool))
    monkeypatch.setenv("PATH", str(programs))
    for package, files in zip(litertjs.PACKAGES, fake_contents(), strict=True):
        give(monkeypatch, shelf, package.name, tarball({**files, "package/package.json": b"{}"}))
    return shelf


def give(monkeypatch, shelf, name, content, pinned=True):
    """Puts a package on the shelf, and its checksum among the pinned ones."""
    package = next(each for each in litertjs.PACKAGES if each.name == name)
    (shelf / package.tarball).write_bytes(content)
    if pinned:
        others = [each for each in litertjs.PACKAGES if each.name != name]
        changed = litertjs.NpmPackage(name, package.tarball, integrity(content), package.files)
        packages = sorted([changed, *others], key=lambda each: each.name)
        monkeypatch.setattr(litertjs, "PACKAGES", tuple(packages))


def asked(shelf):
    """What npm was asked for, in order."""
    path = shelf / "asked"
    return path.read_text().split() if path.exists() else []
