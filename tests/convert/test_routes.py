"""Targets that are there are replaced only if asked; other things never."""

import pytest

from cyclegan_tf.convert import command
from cyclegan_tf.errors import UserError
from tests.convert.shared import TINY, names_in

torch = pytest.importorskip("torch", reason='needs pip install "cyclegan-tf[torch]"')


def test_targets_that_are_there_are_replaced_only_if_asked(given, run, images, tmp_path):
    source, target = str(given / "latest_net_G_A.pth"), tmp_path / "g.keras"
    target.write_bytes(b"mine")
    with pytest.raises(UserError, match=r"g\.keras exists already; give --overwrite"):
        command.main([source, str(target)])
    assert target.read_bytes() == b"mine"
    assert command.main([source, str(target), "--overwrite", "--quiet"]) == 0
    assert target.read_bytes() != b"mine"

    again = tmp_path / "run"
    words = [str(given), str(again), "--quiet", *TINY]
    assert command.main(words) == 0
    with pytest.raises(UserError, match="run exists already; give --overwrite"):
        command.main(words)
    (again / "old").touch()
    assert command.main([*words, "--overwrite"]) == 0
    assert not (again / "old").exists()


@pytest.mark.parametrize("words", [["--overwrite"], []])
def test_a_folder_of_other_things_is_never_replaced(given, tmp_path, words):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").touch()
    with pytest.raises(UserError, match=r"exists already|holds something else"):
        command.main([str(given), str(tmp_path / "home"), *words])
    assert names_in(tmp_path / "home") == ["thesis.tex"]
    with pytest.raises(UserError, match="is, or holds, the source"):
        command.main([str(given), str(given.parent), *words])
    with pytest.raises(UserError, match="is, or holds, the source"):
        command.main([str(given), str(given), *words])
    assert len(names_in(given)) == 4
