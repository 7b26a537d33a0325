"""The phantoms of the volumes' figures, and what is measured on them."""

import numpy as np
from PIL import Image

from benchmarks.quality import volume_phantoms


def test_phantoms_are_written_scored_and_drawn(tmp_path, monkeypatch):
    for name, value in (("SIDE", 16), ("TRAIN", 1), ("TEST", 1)):
        monkeypatch.setattr(volume_phantoms, name, value)
    volume_phantoms.write(tmp_path)
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.gz"))
    assert names == [
        "testA/person0.nii.gz",
        "testB/person0.nii.gz",
        "trainA/ct0.nii.gz",
        "trainB/mr0.nii.gz",
        "truth/person0.nii.gz",
    ]
    assert volume_phantoms.score(tmp_path / "truth", tmp_path / "truth") == (0, 0, 0)
    error, jump, root = volume_phantoms.score(tmp_path / "truth", tmp_path / "testB")
    assert 0 < error < root < jump < 2 * volume_phantoms.NOISE["mr"]
    volume_phantoms.draw(tmp_path / "a.png", [tmp_path / "testA", tmp_path / "truth"])
    with Image.open(tmp_path / "a.png") as drawn:
        assert drawn.size == (96, 96)


def test_a_tissue_has_one_number_in_each_kind():
    found = volume_phantoms.tissues(3)
    assert set(np.unique(found)) == set(range(6))
    ct, mr = (volume_phantoms.volume(3, kind, noise=0.0) for kind in ("ct", "mr"))
    for tissue in range(6):
        assert set(ct[found == tissue]) == {volume_phantoms.CT_HU[tissue]}
        assert set(mr[found == tissue]) == {volume_phantoms.MR_SIGNAL[tissue]}
