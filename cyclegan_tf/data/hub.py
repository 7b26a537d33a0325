"""Image sets of the Hugging Face Hub (`hf:USER/SET`), unpacked once into folders of image files.

The Hub keeps images in Parquet files: a row for an image or for one of each domain, encoded as the
files were, with a label or none. What such files hold is read by `data.parquet`. Extra `hf`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cyclegan_tf.atomic import atomic_directory
from cyclegan_tf.errors import UserError, install_command
from cyclegan_tf.foreign.cache import cache_folder
from cyclegan_tf.foreign.paths import meant

SCHEME = "hf:"
_NAME = re.compile(
    r"(?P<set>[\w.-]+(/[\w.-]+)?)(/(?P<part>[\w.-]+(/[\w.-]+)*))?(@(?P<revision>[\w./-]+))?"
)
# Where the Hub itself keeps Parquet files of sets that hold others.
_CONVERTED = "refs/convert/parquet"
_FOLDER = ("/", ".", "~")


def open_hub(source: str, x: str | None, y: str | None) -> Path:
    """Fetches a set and unpacks its images; what was unpacked before is used as it is.

    Args:
      source: USER/SET, USER/SET/PART (a folder in it), either with @REVISION; or a folder of
        Parquet files, beginning with "/", "." or "~".
      x: which images are domain X: a column of images, a label or a split; None where the set
        leaves no choice.
      y: the same for Y.

    Returns:
      A folder that holds trainA, trainB and, where the set has a split for tests, testA and testB.

    Raises:
      UserError: a package is missing, there is no such set, it cannot be fetched, it holds no
        images, or leaves open which are X.
    """
    check_source(source)
    from cyclegan_tf.data import parquet

    files = _files(source)
    stamps = [(name, path.stat().st_size, path.stat().st_mtime_ns) for name, path in files]
    digest = hashlib.sha256(json.dumps([x, y, stamps]).encode()).hexdigest()[:12]
    name = re.sub(r"[^\w.-]+", "_", source).strip("._")
    folder = cache_folder("hf") / f"{name}-{digest}"
    if folder.is_dir():
        return folder
    try:
        with atomic_directory(folder) as partial:
            parquet.unpack(files, (x, y), partial)
    except UserError as error:
        if error.field and error.field.startswith("data."):
            raise UserError(
                f"data.source {SCHEME}{source} {error}", code=error.code, field=error.field
            ) from error
        raise
    return folder


def check_source(source: str) -> None:
    """Looks for the packages of the extra, and for a set that is a folder; needs no TensorFlow.

    Args:
      source: as `open_hub` takes it.

    Raises:
      UserError: a package or the folder is missing, or this is no name of a set.
    """
    _require_packages(source)
    if source.startswith(_FOLDER):
        _folder(source)
    else:
        _match(source)


def _match(source: str) -> re.Match[str]:
    match = _NAME.fullmatch(source)
    if match is None:
        raise _error(source, "is no name of a set; give hf:USER/SET.", "invalid")
    return match


def _folder(source: str) -> Path:
    root = Path(source).expanduser()
    if not root.is_dir():
        raise _error(source, f"is no folder{meant(root, Path.is_dir) or '.'}", "missing")
    return root


def _require_packages(source: str) -> None:
    for package in ("pyarrow",) if source.startswith(_FOLDER) else ("pyarrow", "huggingface_hub"):
        if importlib.util.find_spec(package) is None:
            reason = f"needs the package {package}: {install_command('hf')}."
            raise _error(source, reason, "dependency")


def _files(source: str) -> list[tuple[str, Path]]:
    """The Parquet files of a set with their names in it, in the order of these."""
    if source.startswith(_FOLDER):
        return _in_part(source, _parquet_below(_folder(source)), None)
    match = _match(source)
    revisions = [match["revision"]] if match["revision"] else [None, _CONVERTED]
    for revision in revisions:
        found = _parquet_below(_fetched(source, match["set"], match["part"], revision))
        if found:
            return _in_part(source, found, match["part"])
    raise _error(source, "holds no Parquet files.", "missing")


def _parquet_below(root: Path) -> list[tuple[str, Path]]:
    return sorted((path.relative_to(root).as_posix(), path) for path in root.rglob("*.parquet"))


def _in_part(
    source: str, files: Sequence[tuple[str, Path]], part: str | None
) -> list[tuple[str, Path]]:
    """Those of one part; a set of several parts needs the name of one."""
    from cyclegan_tf.data.parquet import part_of

    if part is not None:
        files = [(name, path) for name, path in files if name.startswith(f"{part}/")]
    if not files:
        what = f"holds no Parquet files{f' in {part}' if part else ''}."
        raise _error(source, what, "missing")
    parts = sorted({part_of(name) for name, _ in files})
    if len(parts) > 1:
        raise _error(
            source,
            f"has several parts ({', '.join(parts[:8])}); name one: hf:USER/SET/{parts[-1]}.",
            "mismatch",
        )
    return list(files)


def _fetched(source: str, name: str, part: str | None, revision: str | None) -> Path:
    """The folder of a set's Parquet files in the Hub's own cache, which does without a network."""
    import huggingface_hub
    from huggingface_hub import errors

    pattern = f"{part}/*.parquet" if part else "*.parquet"
    try:
        return Path(
            huggingface_hub.snapshot_download(
                name, repo_type="dataset", revision=revision, allow_patterns=[pattern]
            )
        )
    except errors.GatedRepoError as error:
        reason = f"asks for consent on https://huggingface.co/datasets/{name}, then for a login"
        raise _error(source, f"{reason}: hf auth login.", "unreadable") from error
    except errors.RevisionNotFoundError as error:
        if revision == _CONVERTED:
            raise _error(source, "holds no Parquet files.", "missing") from error
        raise _error(source, f"has no revision {revision}.", "missing") from error
    except errors.RepositoryNotFoundError as error:
        reason = "is no set on the Hub, or one that wants a login: hf auth login."
        raise _error(source, reason, "missing") from error
    except Exception as error:  # of the network, of the Hub, of the disk
        if revision == _CONVERTED:
            raise _error(source, "holds no Parquet files.", "missing") from error
        reason = " ".join(str(error).split())[:200]
        raise _error(
            source,
            f"cannot be fetched, and no copy was kept ({reason}); check the network, or give a "
            "folder of its Parquet files: hf:/FOLDER.",
            "unreadable",
        ) from error


def _error(source: str, what: str, code: Any) -> UserError:
    return UserError(f"data.source {SCHEME}{source} {what}", code=code, field="data.source")
