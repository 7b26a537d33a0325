"""Partners in the training folders: counted, compared, and who only shares a name."""

from pathlib import Path

import numpy as np
import pytest

from cyclegan_tf.check import pairing
from cyclegan_tf.check.folders import Folder, ImageReport
from cyclegan_tf.images import io as image_io
from tests.check.test_alignment import other_look, scene
from tests.helpers.errors import refused


def folders(root, shifts=(), strangers=0, names=("trainA", "trainB"), count=12):
    """As many scenes in two looks; some of Y shifted by 20 px, the last ones other scenes."""
    made = []
    for name in names:
        files = []
        for number in range(count):
            is_y = name == names[1]
            shift = (0, 20) if number in shifts and is_y else (0, 0)
            other = 50 if is_y and number >= count - strangers else 0
            image = scene(number + other, shift=shift)
            path = root / name / f"{number}.{'png' if is_y else 'bmp'}"
            image_io.save(path, other_look(image) if is_y else image)
            files.append(ImageReport(path, info=image_io.probe(path)))
        files.append(ImageReport(root / name / "bad.png", problem="is empty (0 bytes)"))
        made.append(Folder(name, root / name, 3, tuple(files), {}))
    return made


def look(found, wanted="auto"):
    return [f"{one.level}: {one.text}" for one in pairing.look_at_pairs(found, wanted)]


def test_partners_are_counted(tmp_path):
    found = folders(tmp_path)
    sentence = "note: {} of the 12 images of trainA and 12 of trainB."
    assert look(found) == [sentence.format("12 pairs")]
    assert look(found, "none") == []
    assert look(found, "3") == [sentence.format("3 pairs")]
    listed = tmp_path / "list.csv"
    listed.write_text("trainA/0.bmp,0.png\n")
    assert look(found, str(listed)) == [sentence.format("1 pair")]
    # training passes over what is held out, and check has said what is damaged
    listed.write_text("trainA/0.bmp,0.png\nbad.png,1.png\ntestA/0.bmp,testB/0.png\n")
    test = folders(tmp_path, names=("testA", "testB"), count=1)
    assert look([*found, *test], str(listed)) == [sentence.format("1 pair")]
    with refused("missing", "data.pairs"):
        look(found, "13")
    assert look(found[:1]) == []


def test_misaligned_files_are_named(tmp_path):
    plain = folders(tmp_path, shifts=(2, 5), names=("X", "Y"))
    warning = look(plain)[1]
    assert warning.startswith("warning: 2 of 12 pairs seem misaligned")
    assert warning.endswith(
        "X/2.bmp = Y/2.png (+8% right, +0% down), X/5.bmp = Y/5.png (+8% right, +0% down)."
    )


def test_strangers_of_one_name(tmp_path):
    warning = look(folders(tmp_path, strangers=12))[1]
    assert "Edges of partners agree no better than those of strangers" in warning
    of_few = look(folders(tmp_path / "few", strangers=9, count=9))
    assert not any("strangers" in text for text in of_few)


@pytest.mark.parametrize("most", [1, 5])
def test_of_many_pairs_some_are_compared(tmp_path, monkeypatch, most):
    monkeypatch.setattr(pairing, "MAX_COMPARED", most)
    seen = []
    monkeypatch.setattr(
        Folder,
        "read",
        lambda _, path: seen.append(Path(path)) or np.zeros((8, 8, 3), np.uint8),
    )
    look(folders(tmp_path))
    assert len(seen) == 2 * most
