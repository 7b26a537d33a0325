"""Describes files of weights: `.keras`, HDF5 of Keras 2, official PyTorch `.pth`.

Official is junyanz/pytorch-CycleGAN-and-pix2pix. Nothing in a file is run.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from cyclegan_tf.errors import UserError
from cyclegan_tf.inspect.networks import summarize_network
from cyclegan_tf.networks.files import check_archive, classes_by_package, load
from cyclegan_tf.runs import state

if TYPE_CHECKING:
    from cyclegan_tf.convert.pytorch.recognize import NormAsked

_HOW_TO_OPEN = "in a program of your own: `import cyclegan_tf`, then `keras.saving.load_model`"


def inspect_keras_file(path: Path, size_px: int) -> dict[str, Any]:
    """Describes a `.keras` file of this or an older Keras: one network, or a whole CycleGAN.

    Args:
      path: of the file.
      size_px: see `networks.summarize_network`.

    Raises:
      UserError: it is damaged, holds unknown layers, or would run code.
    """
    check_archive(path)
    saved = _archive_metadata(path)
    version = saved.get("keras_version")
    found = {"kind": ".keras file", "size_bytes": path.stat().st_size, "made_with_keras": version}
    found["saved"] = saved.get("date_saved")
    if str(version).startswith("2."):
        return found | inspect_keras_2(path, size_px)
    model = load(path)
    parts = {name: getattr(model, name, None) for name in state.NETWORKS}
    networks = {name: part for name, part in parts.items() if part is not None} or {
        model.name: model
    }
    rows: dict[str, Any] = {"networks": network_rows(networks, size_px)}
    if "cyclegan_tf" in classes_by_package(path):
        rows["notes"] = [_HOW_TO_OPEN]
    return found | rows


def _archive_metadata(path: Path) -> dict[str, Any]:
    with contextlib.suppress(Exception), zipfile.ZipFile(path) as archive:  # zip's and JSON's
        values = json.loads(archive.read("metadata.json"))
        return values if isinstance(values, dict) else {}
    return {}


def inspect_hdf5(path: Path, size_px: int) -> dict[str, Any]:
    """Describes a `.h5` file of Keras; arguments and errors as `inspect_keras_file`.

    Layers of TensorFlow-Addons are known.
    """
    found: dict[str, Any] = {"kind": "HDF5 file of Keras", "size_bytes": path.stat().st_size}
    return found | {"made_with_keras": _hdf5_version(path)} | inspect_keras_2(path, size_px)


def _hdf5_version(path: Path) -> str | None:
    import h5py

    with contextlib.suppress(OSError), h5py.File(path, "r") as file:
        for attributes in (
            file.attrs,
            file["model_weights"].attrs if "model_weights" in file else {},
        ):
            version = attributes.get("keras_version")
            if version is not None:
                return version.decode() if isinstance(version, bytes) else str(version)
    return None


def inspect_keras_2(path: Path, size_px: int) -> dict[str, Any]:
    """Describes whatever Keras 2 saved, as "networks" and "notes".

    Arguments and errors as `inspect_keras_file`.
    """
    from cyclegan_tf.convert import saving
    from cyclegan_tf.convert.keras2.open import open_model

    model, notes = open_model(path)
    try:
        saving.require_images(model, path)
    except UserError as error:
        notes.append(f"python -m cyclegan_tf.convert refuses it: {error}")
    else:
        notes.append("python -m cyclegan_tf.convert opens it")
    return {"networks": network_rows({model.name: model}, size_px), "notes": notes}


def inspect_torch_file(path: Path, size_px: int, norm: NormAsked = "auto") -> dict[str, Any]:
    """Describes an official checkpoint (extra `torch`).

    Arguments as `inspect_keras_file` and `recognize`.

    Raises:
      UserError: it is damaged, of another network, or would run code; or torch is missing.
    """
    row, notes = _torch_row(path, size_px, norm)
    return {
        "kind": "PyTorch checkpoint",
        "size_bytes": path.stat().st_size,
        "networks": [row],
        "notes": [*notes, "python -m cyclegan_tf.convert makes a .keras file of it"],
    }


def inspect_torch_folder(folder: Path, size_px: int, norm: NormAsked = "auto") -> dict[str, Any]:
    """Describes a folder of official files, latest_net_G_A.pth and so on.

    Arguments and errors as `inspect_torch_file`.
    """
    found = [_torch_row(path, size_px, norm) for path in sorted(folder.glob("*_net_*.pth"))]
    notes = dict.fromkeys(note for _, row_notes in found for note in row_notes)
    return {
        "kind": "folder of PyTorch checkpoints",
        "networks": [row for row, _ in found],
        "notes": [*notes, "python -m cyclegan_tf.convert makes a run directory of four networks"],
    }


def _torch_row(path: Path, size_px: int, norm: NormAsked) -> tuple[dict[str, Any], list[str]]:
    from cyclegan_tf.convert.pytorch import files, networks, recognize

    arrays = files.read_state_dict(path)
    spec = recognize.recognize(arrays, path, norm)
    network = networks.build_from_state_dict(spec, arrays)
    row = {
        "name": path.name,
        "official_name": spec.official_name,
        **summarize_network(network, size_px),
        # ours may have biases of 0 that theirs lacks
        "parameters": recognize.count_parameters(arrays),
    }
    return row, recognize.conversion_notes(spec)


def network_rows(networks: Mapping[str, keras.Model], size_px: int) -> list[dict[str, Any]]:
    """Describes each network as one row."""
    return [
        {"name": name, **summarize_network(network, size_px)} for name, network in networks.items()
    ]
