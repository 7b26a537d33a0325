"""The convolutions of a VGG out of a weight file. Nothing in a file is run; needs no TensorFlow."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from cyclegan_tf.errors import UserError, reading
from cyclegan_tf.foreign import hdf5
from cyclegan_tf.foreign.content import refuse_damaged_zip, refuse_foreign_file, refuse_zip_bomb

Convolution = tuple[np.ndarray, np.ndarray]
"""Kernel float32 (3, 3, I, O) and bias float32 (O,)."""

BLOCKS = {13: (2, 2, 3, 3, 3), 16: (2, 2, 4, 4, 4)}
"""Number of convolutions -> those of each block: VGG16 and VGG19 (Simonyan and Zisserman 2015)."""

MUST_BE = "it must hold the weights of a VGG16 or VGG19, as Keras writes them (.h5, .keras, .npz)"
_WEIGHTS_IN_KERAS_FILE = "model.weights.h5"


def read_convolutions(path: Path) -> list[Convolution]:
    """Read the convolutions of a VGG, first to last.

    HDF5 of Keras 2 and 3, `.keras` files and NumPy archives are read alike: arrays in the order of
    their names, in which each kernel stands beside its bias. What comes after the convolutions, as
    the layers that classify, is left out.

    Args:
      path: of the file.

    Returns:
      13 (VGG16) or 16 (VGG19) convolutions, with any numbers of filters.

    Raises:
      UserError: it is missing, damaged, made to fill the memory, or holds another network.
    """
    refuse_foreign_file(path)
    with reading(path, MUST_BE):
        try:
            with path.open("rb") as file:
                is_zip = file.read(2) == b"PK"
            found = _read_zip(path) if is_zip else _read_hdf5(path)
            _check_chain(found)
        except UserError as error:
            message = f"{path} cannot be read ({str(error).rstrip('.')}); {MUST_BE}."
            raise UserError(message, code=error.code, field=str(path)) from error
    return found


def _read_zip(path: Path) -> list[Convolution]:
    refuse_zip_bomb(path)
    refuse_damaged_zip(path)
    with zipfile.ZipFile(path) as archive:
        if _WEIGHTS_IN_KERAS_FILE in archive.namelist():
            return _read_hdf5(io.BytesIO(archive.read(_WEIGHTS_IN_KERAS_FILE)))
    with np.load(path, allow_pickle=False) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    return [(_float32(kernel), _float32(bias)) for kernel, bias in _pairs(found)]


def _read_hdf5(source: Path | io.BytesIO) -> list[Convolution]:
    datasets: dict[str, h5py.Dataset] = {}

    def note(name: str, found: Any) -> None:
        if isinstance(found, h5py.Dataset):
            datasets[name] = found

    with h5py.File(source, "r") as file:
        hdf5.check_sizes(file)
        file.visititems(note)  # which follows no links
        return [(hdf5.values(kernel), hdf5.values(bias)) for kernel, bias in _pairs(datasets)]


def _pairs(arrays: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Kernels and biases of the convolutions with kernels of 3 x 3, in the order of their names."""
    names = sorted((name for name in arrays if not name.startswith("optimizer")), key=_in_order)
    for pair in zip(names[::2], names[1::2], strict=False):
        bias, kernel = sorted((arrays[name] for name in pair), key=lambda each: len(each.shape))
        is_3_by_3 = len(kernel.shape) == 4 and kernel.shape[:2] == (3, 3)
        if is_3_by_3 and bias.shape == kernel.shape[3:]:
            yield kernel, bias


def _in_order(name: str) -> list[tuple[str, int]]:
    """conv2d_2 before conv2d_10."""
    return [(text, int(digits or 0)) for text, digits in re.findall(r"(\D*)(\d*)", name)]


def _float32(array: np.ndarray) -> np.ndarray:
    return np.asarray(array, np.float32)


def _check_chain(found: Sequence[Convolution]) -> None:
    """Refuse convolutions that do not follow each other as in a VGG.

    Raises:
      UserError: says which.
    """
    if len(found) not in BLOCKS:
        raise UserError(
            f"it holds {len(found)} convolutions of 3 x 3, and VGG16 has 13, VGG19 16",
            code="mismatch",
        )
    channels = 3
    for number, (kernel, _) in enumerate(found, start=1):
        if kernel.shape[2] != channels:
            raise UserError(
                f"convolution {number} takes {kernel.shape[2]} channels, and the one before makes "
                f"{channels}",
                code="mismatch",
            )
        channels = kernel.shape[3]
