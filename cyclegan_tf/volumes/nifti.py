"""NIfTI files, plain and packed by gzip, through nibabel."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_tf.errors import UserError
from cyclegan_tf.volumes import scratch
from cyclegan_tf.volumes.geometry import Geometry, is_usable
from cyclegan_tf.volumes.volume import Volume, volume_shape

KIND = "NIfTI"
_PACKING = 4  # of gzip: half the time of its usual 6, for some percent of size


def read(path: Path) -> Volume:
    """Read a file; what is packed is unpacked to the disk, piece by piece.

    Raises:
      UserError: it is damaged, cut off, of more than three dimensions, or of several numbers per
        voxel; the text says what it is.
    """
    import nibabel

    image: Any = nibabel.load(path)
    header = image.header
    if not isinstance(header, nibabel.Nifti1Header):  # of which that of NIfTI-2 is a kind
        raise UserError("is no NIfTI file, whatever its name says", code="unreadable")
    dtype = header.get_data_dtype()
    if dtype.kind not in "iuf":
        raise UserError(f"holds {dtype} voxels, and plain numbers are read", code="unsupported")
    shape = volume_shape(header.get_data_shape())
    offset = int(image.dataobj.offset)
    if path.suffix == ".gz":
        voxels = scratch.unpacked(scratch.gzip_chunks(path), offset, shape, dtype)
    else:
        voxels = scratch.mapped(path, offset, shape, dtype)
    slope, intercept = float(image.dataobj.slope), float(image.dataobj.inter)
    codes = int(header["sform_code"]), int(header["qform_code"])
    affine = np.asarray(image.affine, np.float64)
    geometry = Geometry(affine, any(codes) and is_usable(affine))
    return Volume(path, KIND, voxels, geometry, slope, intercept, header)


def write(path: Path, target_name: str, values: np.ndarray, source: Volume) -> None:
    """Write a volume; not atomic.

    Args:
      path: to write to.
      target_name: of the file to be; packed where it ends in .gz.
      values: (i, j, k) in the unit that the file is to have, stored as they are.
      source: gives the affine and, where it is NIfTI too, the header; the window for display of
        other units is left out.
    """
    import nibabel

    header = source.header.copy() if source.kind == KIND else nibabel.Nifti1Header()
    header.set_data_dtype(values.dtype)
    header.set_slope_inter(1, 0)
    header["cal_min"] = header["cal_max"] = 0
    if source.kind == KIND:
        values = values.reshape(header.get_data_shape(), order="F")
    else:
        header.set_xyzt_units("mm")
    kind = nibabel.Nifti2Image if isinstance(header, nibabel.Nifti2Header) else nibabel.Nifti1Image
    image: Any = kind(values, source.geometry.affine, header)
    if source.kind != KIND:
        code = 1 if source.geometry.is_oriented else 0
        image.set_sform(source.geometry.affine, code)
        image.set_qform(None if not code else source.geometry.affine, code)
    with path.open("wb") as file:
        if target_name.lower().endswith(".gz"):
            with gzip.GzipFile("", "wb", _PACKING, file, mtime=0) as packed:
                image.to_stream(packed)
        else:
            image.to_stream(file)
