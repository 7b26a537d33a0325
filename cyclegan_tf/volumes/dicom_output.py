"""Writes a translated DICOM series: a new one, marked as derived, in the values' own unit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_tf.volumes.volume import Volume

DESCRIPTION = "Translated by a neural network (cyclegan_tf). Not for clinical use."

# Of the numbers before, or of the file that they stood in.
_LEFT_OUT = (
    *("SmallestImagePixelValue", "LargestImagePixelValue", "SmallestPixelValueInSeries"),
    *("LargestPixelValueInSeries", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("WindowCenterWidthExplanation", "VOILUTSequence", "ModalityLUTSequence", "RescaleType"),
    *("VOILUTFunction", "IconImageSequence", "RealWorldValueMappingSequence"),
    *("LossyImageCompression", "LossyImageCompressionRatio"),
    *("LossyImageCompressionMethod", "DigitalSignaturesSequence", "MACParametersSequence"),
)
_LONGEST_TEXT = 64
_BITS = 16
# Code of the derivation "image processing"; of a reference's purpose "source image".
_SOURCE_CODE = ("121322", "DCM", "Source image for image processing operation")


def write(folder: Path, values: np.ndarray, source: Volume, is_same_unit: bool) -> None:
    """Write a series of the source's slices into a folder; not atomic.

    Each keeps its source's patient, study, place and file name, and names it as its source. Series
    and instances have new UIDs; private elements and numbers on the pixels before are left out.

    Args:
      folder: empty.
      values: (i, j, k): whole numbers of at most 16 bits are stored as they are, others by a slope
        and an intercept in 16 bits over their range.
      source: a DICOM series.
      is_same_unit: whether `RescaleType` stays true.
    """
    from pydicom.uid import generate_uid

    slope, intercept, dtype = _stored_as(values)
    window = _window(values)
    series = generate_uid()
    for number, path in enumerate(source.header.files):
        plane = values[..., number].T.astype(np.float64)
        stored = np.rint((plane - intercept) / slope).astype(dtype)
        slice_ = _derived(path, series, is_same_unit)
        slice_.RescaleSlope, slice_.RescaleIntercept = _decimal(slope), _decimal(intercept)
        slice_.WindowCenter, slice_.WindowWidth = map(_decimal, window)
        slice_.Rows, slice_.Columns = stored.shape
        slice_.BitsAllocated = slice_.BitsStored = _BITS
        slice_.HighBit = _BITS - 1
        slice_.PixelRepresentation = int(dtype.kind == "i")
        slice_.PixelData = stored.astype(dtype.newbyteorder("<")).tobytes()
        slice_["PixelData"].VR = "OW"
        slice_.save_as(folder / path.name, enforce_file_format=True)


def _stored_as(values: np.ndarray) -> tuple[float, float, np.dtype]:
    """Slope, intercept and type by which values are stored."""
    if values.dtype in (np.int16, np.uint16):
        return 1.0, 0.0, np.dtype(values.dtype)
    if values.dtype in (np.int8, np.uint8):
        return 1.0, 0.0, np.dtype(np.int16)
    low, high = float(values.min()), float(values.max())
    # A slope is written in 16 characters, so it is rounded first, and upwards.
    slope = float(_decimal(max((high - low) / (2**_BITS - 2), 1e-12)))
    return slope, float(_decimal(low - slope)), np.dtype(np.uint16)


def _window(values: np.ndarray) -> tuple[float, float]:
    """Center and width of the values' range, for display."""
    step = max(1, values.shape[2] // 16)
    low, high = np.percentile(values[::4, ::4, ::step], (1, 99))
    return float(low + high) / 2, max(float(high - low), 1.0)


def _derived(path: Path, series: str, is_same_unit: bool) -> Any:
    """Copy a slice's description as that of an image derived from it."""
    import pydicom
    from pydicom.dataset import Dataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    found: Any = pydicom.dcmread(path)
    del found.PixelData
    rescale_type = found.get("RescaleType")
    found.remove_private_tags()
    overlays = [each.tag for each in found if each.tag.group & 0xFF00 == 0x6000]
    for each in [*(name for name in _LEFT_OUT if name in found), *overlays]:
        del found[each]
    reference = Dataset()
    reference.ReferencedSOPClassUID = found.SOPClassUID
    reference.ReferencedSOPInstanceUID = found.SOPInstanceUID
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = _SOURCE_CODE
    reference.PurposeOfReferenceCodeSequence = [code]
    found.SourceImageSequence = [reference]
    kinds = list(found.get("ImageType") or ["ORIGINAL", "PRIMARY"])
    found.ImageType = ["DERIVED", "SECONDARY", *kinds[2:]]
    found.DerivationDescription = DESCRIPTION
    before = str(found.get("SeriesDescription", ""))
    found.SeriesDescription = f"{before} translated (not clinical)".strip()[-_LONGEST_TEXT:]
    found.SeriesInstanceUID, found.SOPInstanceUID = series, generate_uid()
    found.RescaleType = rescale_type if is_same_unit and rescale_type else "US"  # unspecified
    found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return found


def _decimal(number: float) -> str:
    """A number in the 16 characters of DICOM's decimal strings."""
    from pydicom.valuerep import format_number_as_ds

    return format_number_as_ds(float(number))
