"""Small volumes, written by the field's own libraries."""

from typing import Any

import numpy as np

AFFINE = np.array([[-2.0, 0, 0, 40], [0, 1.5, 0, -30], [0, 0, 3, 5], [0, 0, 0, 1]])
"""Columns to the left, rows to the front, slices upward, as many scanners store them."""


def numbers(shape=(5, 4, 3), dtype=np.int16, low=-1000):
    """Values that are all different."""
    return (np.arange(np.prod(shape)).reshape(shape, order="F") + low).astype(dtype)


def ball(shape=(24, 20, 16), inside=800, outside=-1000, dtype=np.int16):
    """A ball with a ramp in it, so that slices differ; the first and last slices are empty."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1.3, 1.3, n) for n in shape), indexing="ij"))
    values = np.where((grid**2).sum(0) < 1, inside + 100 * grid[2] + 50 * grid[0], outside)
    return values.astype(dtype)


def write_nifti(path, values, affine=AFFINE, slope=None, intercept=None):
    import nibabel

    image = nibabel.Nifti1Image(values, affine)
    image.header["descrip"] = b"made by a test"
    image.header.set_slope_inter(slope, intercept)
    image.header.set_xyzt_units("mm", "sec")
    path.parent.mkdir(parents=True, exist_ok=True)
    if slope is None:
        nibabel.save(image, path)
        return path
    # nibabel would choose a slope of its own
    with path.open("wb") as file:
        header = image.header.copy()
        header.set_data_shape(values.shape)
        header["magic"], header["vox_offset"] = b"n+1", 352
        file.write(header.binaryblock + bytes(4) + values.tobytes(order="F"))
    return path


def dicom_slice(number, plane, position, series="1.2.3.4", slope=1, intercept=-1024, **others):
    """A CT slice as pydicom has it; `plane` as stored, (rows, columns)."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    found: Any = Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.SOPClassUID = found.file_meta.MediaStorageSOPClassUID = CTImageStorage
    found.SOPInstanceUID = found.file_meta.MediaStorageSOPInstanceUID = f"{series}.{number + 1}"
    found.SeriesInstanceUID, found.StudyInstanceUID = series, "1.2.3"
    found.FrameOfReferenceUID = "1.2.3.9"
    found.PatientName, found.PatientID, found.Modality = "Phantom", "0", "CT"
    found.SeriesDescription, found.InstanceNumber = "thorax", number + 1
    found.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    found.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    found.ImagePositionPatient = [float(each) for each in position]
    found.PixelSpacing, found.SliceThickness = [1.5, 2.0], 3
    found.Rows, found.Columns = plane.shape
    found.SamplesPerPixel, found.PhotometricInterpretation = 1, "MONOCHROME2"
    found.BitsAllocated, found.BitsStored, found.HighBit = 16, 12, 11
    found.PixelRepresentation = 0
    found.RescaleSlope, found.RescaleIntercept, found.RescaleType = slope, intercept, "HU"
    found.add_new((0x0009, 0x0010), "LO", "A SCANNER")
    found.PixelData = plane.astype("<u2").tobytes()
    for name, value in others.items():
        setattr(found, name, value)
    return found


def write_dicom(folder, values, origin=(-40, 30, 5), step_mm=3, **others):
    """Write (i, j, k) in Hounsfield units as a series; file names run against the positions."""
    folder.mkdir(parents=True, exist_ok=True)
    count = values.shape[2]
    for number in range(count):
        position = (origin[0], origin[1], origin[2] + step_mm * number)
        found = dicom_slice(number, values[..., number].T + 1024, position, **others)
        found.save_as(folder / f"IM{count - number:03}.dcm", enforce_file_format=True)
    return folder
