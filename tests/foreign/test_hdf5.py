"""Arrays of HDF5 files: sizes, links and other files, before anything is read."""

import h5py
import numpy as np
import pytest

from cyclegan_tf.foreign import hdf5
from cyclegan_tf.foreign.hdf5 import check_sizes
from tests.helpers.errors import refused


def test_sizes_are_checked_by_shape_before_anything_is_read(tmp_path):
    random = np.random.default_rng(0).normal(size=2**18)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["layer/kernel"] = np.ones((3, 3), np.float32)
        file.create_dataset("layer/packed", data=random, compression="gzip")
        assert check_sizes(file) == 36 + 2**21
        file.create_dataset("layer/huge", (46_000, 46_000), np.float32, chunks=(64, 64))
        with refused("memory", match=r"layer/huge claim a shape of \(46000, 46000\)"):
            check_sizes(file)


@pytest.mark.parametrize("link", [lambda file: file["layer"], lambda _: h5py.SoftLink("/layer")])
def test_arrays_of_several_names_are_refused(tmp_path, link):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["layer/kernel"] = np.ones((3, 3), np.float32)
        check_sizes(file)
        file["copies/again"] = link(file)
        with refused("memory", match="more than one name"):
            check_sizes(file)


def test_values_come_from_the_file_itself_or_not_at_all(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["kernel"] = np.ones(3, np.float32)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["layer/kernel"] = np.arange(3, dtype=np.float64)
        file["elsewhere"] = h5py.ExternalLink("other.h5", "/kernel")
        found = hdf5.values(hdf5.inner(file, "layer/kernel", h5py.Dataset))
        assert (found.tolist(), found.dtype) == ([0.0, 1.0, 2.0], np.float32)
        with refused("unsupported", match="in another file"):
            hdf5.inner(file, "elsewhere", h5py.Dataset)
        for name, kind in (("layer", h5py.Dataset), ("absent", h5py.Group)):
            with refused("unreadable"):
                hdf5.inner(file, name, kind)
