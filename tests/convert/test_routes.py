"""Which conversion it is; targets are replaced only if asked, other things never."""

import pytest

from cyclegan_tf.convert import command
from cyclegan_tf.convert.routes import choose_route
from cyclegan_tf.convert.to_keras import folder_to_run, keras_2_to_keras, torch_to_keras
from cyclegan_tf.convert.to_pytorch import to_pytorch
from cyclegan_tf.errors import UserError
from cyclegan_tf.runs.run_directory import RunDirectory
from tests.convert.shared import TINY, names_in

torch = pytest.importorskip("torch", reason='needs pip install ".[torch]"')


def refused(*words):
    """Code and field of the error that these words end in."""
    with pytest.raises(UserError) as caught:
        command.main([str(word) for word in words])
    return caught.value.code, caught.value.field


def test_the_kinds_of_source_and_target_decide(given, run, tmp_path):
    for name in ("old.h5", "old.keras"):
        (tmp_path / name).touch()
    keras_file = tmp_path / "g.keras"
    assert choose_route(given / "latest_net_G_A.pth", keras_file, "keras") is torch_to_keras
    assert choose_route(given, tmp_path / "run", "keras") is folder_to_run
    assert choose_route(tmp_path / "old.h5", keras_file, "keras") is keras_2_to_keras
    (tmp_path / "horse2zebra_pretrained").mkdir()
    (tmp_path / "horse2zebra_pretrained" / "latest_net_G.pth").touch()
    assert choose_route(tmp_path / "horse2zebra_pretrained", keras_file, "keras") is torch_to_keras
    assert choose_route(run, tmp_path / "out", "pytorch") is to_pytorch
    assert choose_route(tmp_path / "old.keras", tmp_path / "g.pth", "pytorch") is to_pytorch


def test_targets_that_are_there_are_replaced_only_if_asked(given, run, images, tmp_path):
    source, target = str(given / "latest_net_G_A.pth"), tmp_path / "g.keras"
    target.write_bytes(b"mine")
    assert refused(source, target) == ("exists", str(target))
    assert target.read_bytes() == b"mine"
    assert command.main([source, str(target), "--overwrite", "--quiet"]) == 0
    assert target.read_bytes() != b"mine"

    again = tmp_path / "run"
    words = [str(given), str(again), "--quiet", *TINY]
    assert command.main(words) == 0
    assert refused(*words) == ("exists", str(again))
    (again / "old").touch()
    with RunDirectory(again).locked():  # a training goes on there
        assert refused(*words, "--overwrite") == ("in_use", str(again))
        assert (again / "old").exists()
    assert command.main([*words, "--overwrite"]) == 0
    assert not (again / "old").exists()


def test_files_of_other_names_in_a_folder_are_named(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "zebra.pth").touch()
    with pytest.raises(UserError, match=r"models holds zebra\.pth, which can be given by itself"):
        command.main([str(tmp_path / "models"), str(tmp_path / "out")])


@pytest.mark.parametrize("words", [["--overwrite"], []])
def test_a_folder_of_other_things_is_never_replaced(given, tmp_path, words):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").touch()
    assert refused(given, tmp_path / "home", *words) == ("exists", str(tmp_path / "home"))
    assert names_in(tmp_path / "home") == ["thesis.tex"]
    assert refused(given, given.parent, *words) == ("invalid", str(given.parent))
    assert refused(given, given, *words) == ("invalid", str(given))
    assert len(names_in(given)) == 4
