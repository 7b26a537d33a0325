"""Models and versions by their folders, looked at before TensorFlow is imported."""

from __future__ import annotations

from pathlib import Path

from cyclegan_tf.errors import UserError
from cyclegan_tf.foreign.paths import meant

_STATIC = ("web", "litert", "onnx")


def find_models(out: Path) -> dict[str, Path]:
    """Find models: name -> folder, which holds at least one version.

    Args:
      out: an export folder, its saved_model folder, or any folder of
        <model>/<version>/saved_model.pb.

    Raises:
      UserError: there is none; says what the folder is instead, where that is known.
    """
    base = out / "saved_model" if (out / "saved_model").is_dir() else out
    if not base.is_dir():
        what = "is a file" if out.exists() else "there is no such folder"
        raise UserError(
            f"{out}: {what}; give the OUT of `python -m cyclegan_tf.export`"
            f"{meant(out, Path.is_dir) or '.'}",
            code="missing",
            field=str(out),
        )
    folders = sorted(
        path for path in base.iterdir() if path.is_dir() and not path.name.startswith(".")
    )
    found = {path.name: path for path in folders if ":" not in path.name and find_versions(path)}
    if not found:
        raise UserError(
            f"{base} holds nothing to serve: {_instead(out)}.", code="missing", field=str(out)
        )
    return found


def _instead(out: Path) -> str:
    """What to do about a folder without models."""
    if (out / "config.yaml").is_file():
        return (
            f"it is a run; export it first: python -m cyclegan_tf.export {out} OUT, then serve OUT"
        )
    if (out / "trainA").is_dir():
        return "it is a data set; train on it, export the run, and serve that"
    if out.name in _STATIC and (out.parent / "saved_model").is_dir():
        return f"it is a part of the export {out.parent}; serve that"
    return "<model>/<version>/saved_model.pb, <version> being a number, is wanted"


def find_versions(folder: Path) -> dict[int, Path]:
    """Find versions: number -> folder.

    Leading zeros are allowed, as with TF Serving; of two folders with one number the shorter name
    counts. Other names, such as those of versions being written, are passed over.
    """
    names = sorted(
        (path for path in folder.iterdir() if path.name.isascii() and path.name.isdecimal()),
        key=lambda path: -len(path.name),
    )
    return {
        int(path.name): path
        for path in names
        if len(path.name.lstrip("0")) < 19 and (path / "saved_model.pb").is_file()
    }
