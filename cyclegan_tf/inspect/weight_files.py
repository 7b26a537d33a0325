"""What a file of weights is: `.keras`, HDF5 of Keras 2, PyTorch's `.pth`; opened without running
what lies in it."""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from cyclegan_tf.errors import UserError
from cyclegan_tf.inspect.networks import facts
from cyclegan_tf.runs import state

if TYPE_CHECKING:
    from cyclegan_tf.convert.pytorch.recognize import NormAsked


def keras_file(path: Path, size_px: int) -> dict[str, Any]:
    """A `.keras` file of this or an older Keras: one network, or a whole CycleGAN.

    Args:
      path: of the file.
      size_px: see `networks.facts`.

    Raises:
      UserError: it is damaged, holds unknown layers, or would run code.
    """
    saved = _archive_metadata(path)
    version = saved.get("keras_version")
    found = {"kind": ".keras file", "size_bytes": path.stat().st_size, "made_with_keras": version}
    found["saved"] = saved.get("date_saved")
    if version and version.startswith("2."):
        return found | of_keras_2(path, size_px)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever zip, JSON or a layer raised
        raise UserError(f"{path} cannot be loaded: {' '.join(str(error).split())[:300]}") from error
    parts = {name: getattr(model, name, None) for name in state.NETWORKS}
    networks = {name: part for name, part in parts.items() if part is not None} or {
        model.name: model
    }
    return found | {"networks": rows(networks, size_px)}


def _archive_metadata(path: Path) -> dict[str, Any]:
    with (
        contextlib.suppress(OSError, KeyError, ValueError, zipfile.BadZipFile),
        zipfile.ZipFile(path) as archive,
    ):
        return json.loads(archive.read("metadata.json"))
    return {}


def hdf5(path: Path, size_px: int) -> dict[str, Any]:
    """A `.h5` file of Keras, TensorFlow-Addons' layers among them; arguments and errors as
    `keras_file`."""
    found: dict[str, Any] = {"kind": "HDF5 file of Keras", "size_bytes": path.stat().st_size}
    return found | {"made_with_keras": _hdf5_version(path)} | of_keras_2(path, size_px)


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


def of_keras_2(path: Path, size_px: int) -> dict[str, Any]:
    """The network in whatever Keras 2 saved, as "networks" and "notes"; arguments and errors as
    `keras_file`."""
    from cyclegan_tf.convert.keras2 import open as legacy

    model, notes = legacy.open_model(path)
    return {
        "networks": rows({model.name: model}, size_px),
        "notes": [*notes, "python -m cyclegan_tf.convert opens it"],
    }


def torch_file(path: Path, size_px: int, norm: NormAsked = "auto") -> dict[str, Any]:
    """A checkpoint of the authors' PyTorch code (extra `torch`); arguments as `keras_file` and
    `recognize`.

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


def torch_folder(folder: Path, size_px: int, norm: NormAsked = "auto") -> dict[str, Any]:
    """A folder of the authors' files, latest_net_G_A.pth and so on; arguments and errors as
    `torch_file`."""
    found = [_torch_row(path, size_px, norm) for path in sorted(folder.glob("*_net_*.pth"))]
    notes = dict.fromkeys(note for _, told in found for note in told)
    return {
        "kind": "folder of PyTorch checkpoints",
        "networks": [row for row, _ in found],
        "notes": [*notes, "python -m cyclegan_tf.convert makes a run directory of four networks"],
    }


def _torch_row(path: Path, size_px: int, norm: NormAsked) -> tuple[dict[str, Any], list[str]]:
    from cyclegan_tf.convert.pytorch import files as torch_files
    from cyclegan_tf.convert.pytorch import networks as torch_networks
    from cyclegan_tf.convert.pytorch import recognize as torch_recognise

    arrays = torch_files.read_state_dict(path)
    design = torch_recognise.recognize(arrays, path, norm)
    network = torch_networks.build(design, arrays)
    row = {"name": path.name, "official_name": design.official_name, **facts(network, size_px)}
    # ours may have biases of 0 that theirs lacks
    return row | {"parameters": torch_recognise.count_parameters(arrays)}, torch_recognise.notes(
        design
    )


def rows(networks: Mapping[str, keras.Model], size_px: int) -> list[dict[str, Any]]:
    """One row of facts per network."""
    return [{"name": name, **facts(network, size_px)} for name, network in networks.items()]
