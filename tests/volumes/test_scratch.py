"""Arrays in files without a name."""

import gzip
import io
import zlib

import numpy as np

from cyclegan_tf.volumes import scratch
from tests.helpers.errors import refused

VALUES = np.arange(24, dtype=np.int16).reshape(2, 3, 4)


def test_a_scratch_array_can_be_written_and_leaves_no_file(tmp_path):
    array = scratch.scratch_array((2, 3, 4), np.float32, tmp_path)
    array[:] = VALUES
    assert array.flags.f_contiguous
    assert np.array_equal(array, VALUES)
    assert list(tmp_path.iterdir()) == []


def test_what_gzip_packed_is_unpacked_behind_its_header(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"head" + VALUES.tobytes(order="F")))
    found = scratch.unpacked(scratch.gzip_chunks(path), 4, VALUES.shape, np.int16)
    assert np.array_equal(found, VALUES)
    path.write_bytes(path.read_bytes()[:-12])
    with refused("unreadable"):
        scratch.unpacked(scratch.gzip_chunks(path), 4, VALUES.shape, np.int16)


def test_what_zlib_packed_is_unpacked():
    packed = zlib.compress(VALUES.tobytes(order="F"))
    found = scratch.unpacked(scratch.zlib_chunks(io.BytesIO(packed)), 0, VALUES.shape, np.int16)
    assert np.array_equal(found, VALUES)
    for broken in (packed[:-9], b"nothing" + packed):
        with refused("unreadable"):
            scratch.unpacked(scratch.zlib_chunks(io.BytesIO(broken)), 0, VALUES.shape, np.int16)


def test_what_lies_plainly_is_mapped(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"head" + VALUES.tobytes(order="F"))
    assert np.array_equal(scratch.mapped(path, 4, VALUES.shape, np.int16), VALUES)
    with refused("unreadable", match="says 54 bytes, and 52 are there"):
        scratch.mapped(path, 6, VALUES.shape, np.int16)
