"""The package as a library: lazy public names, Keras's registry, the list of commands."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import cyclegan_tf
from cyclegan_tf import __main__ as door
from cyclegan_tf.__main__ import COMMANDS
from tests.helpers.preloaded import run_code


def run(*words, cwd=None):
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=120, check=False, cwd=cwd
    )


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="build_generater"):
        cyclegan_tf.build_generater  # noqa: B018


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A network and a compiled CycleGAN, saved by Keras."""
    from cyclegan_tf import CycleGAN, build_discriminator, build_generator
    from cyclegan_tf.model.optimizers import FusedAdam

    folder = tmp_path_factory.mktemp("saved")
    generators = [build_generator("resnet_6blocks", filters=2, blocks=1, seed=i) for i in (0, 1)]
    discriminators = [build_discriminator(filters=2, n_layers=1, seed=i) for i in (2, 3)]
    model = CycleGAN(*generators, *discriminators)
    model.compile(FusedAdam(2e-4), FusedAdam(2e-4))
    generators[0].save(folder / "network.keras")
    model.save(folder / "model.keras")
    return folder


OPEN = """
for name in ("network", "model"):
    print(type(keras.saving.load_model(f"{folder}/{name}.keras")).__name__)
"""


def test_keras_first_then_the_package(saved, tmp_path):
    code = (
        "import sys\n"
        "assert 'keras' in sys.modules and 'cyclegan_tf' not in sys.modules\n"
        f"import keras, cyclegan_tf\nfolder = r'{saved}'"
    )
    status, output = run_code(code + OPEN, tmp_path)
    assert (status, output) == (0, "Functional\nCycleGAN\n")


def test_the_package_first_loads_no_tensorflow_and_offers_its_names_lazily(saved):
    code = (
        "import sys, cyclegan_tf\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
        "assert set(cyclegan_tf.__all__) <= set(dir(cyclegan_tf))\n"
        f"import keras\nfolder = r'{saved}'" + OPEN + "for name in cyclegan_tf.__all__:\n"
        "    assert callable(getattr(cyclegan_tf, name)), name\n"
        "from cyclegan_tf import CycleGAN, Translator, build_generator\n"
        "from cyclegan_tf import build_discriminator, load_generator\n"
        "print(CycleGAN.__module__)"
    )
    done = run("-c", code)
    assert done.stdout == "Functional\nCycleGAN\ncyclegan_tf.model.cyclegan\n", done.stderr


def test_without_arguments_it_lists_the_commands(capsys):
    for words in ([], ["--help"], ["help"]):
        with pytest.raises(SystemExit) as caught:
            door.main(words)
        assert caught.value.code == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines[2:]] == list(COMMANDS)


def test_every_command_of_the_list_can_be_run():
    for name in COMMANDS:
        assert importlib.util.find_spec(f"cyclegan_tf.{name}.__main__"), name


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("trian", "train"),
        ("predict", "translate"),
        ("test", "translate or evaluate"),
        ("eval", "evaluate"),
        ("Translate-Beam", "translate_beam"),
    ],
)
def test_a_word_it_does_not_know_is_an_error_with_the_one_that_is_meant(capsys, word, meant):
    with pytest.raises(SystemExit) as caught:
        door.main([word])
    assert caught.value.code == 2
    printed = capsys.readouterr().err
    assert f"did you mean {meant}?" in printed
    assert all(f"  {name}" in printed for name in COMMANDS)


def test_a_module_that_there_is_not_is_answered_likewise():
    done = run("-m", "cyclegan_tf.predict", "runs/mine")
    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no command 'predict'; did you mean translate?")


MISTAKES = """
train --data.source nowhere
train --init_from notes.keras --data.source images
train --init_from RUN --init_checkpoint 99 --data.source images
train --data.source hf:./nowhere
evaluate nowhere
evaluate RUN --checkpoint 99
evaluate RUN --palette notes.txt --overwrite
evaluate RUN --inception notes.h6 --overwrite
translate nowhere a.png o.png
translate RUN nowhere.png o.png
translate RUN cut.jpg o.png
translate RUN gray_alpha.npy o.png
translate RUN notes.txt o.png
translate RUN clip.mp4 o.mp4
translate RUN a.png o.png --checkpoint 99
translate RUN a.png o.png --size banana
distill nowhere o
distill RUN o --images nowhere
distill RUN o --checkpoint 99
stylize nowhere.png a.png o.png
stylize a.png nowhere.png o.png
stylize a.png model o.png
stylize a.png cut.jpg o.png
stylize cut.jpg a.png o.png
stylize gray_alpha.npy a.png o.png
stylize a.png cut.jpg a.png o.xyz
stylize a.png a.png o.png --weights notes.h5
translate_beam nowhere a.png out
translate_beam model nowhere*.png out
check nowhere
check images --contact_sheet sheet.xyz
export RUN notes.txt
export RUN out --checkpoint 99
export RUN out --images nowhere
serve RUN
convert notes.pth o.keras
convert notes.h5 o.keras
convert RUN o.pth --to pytorch --checkpoint 99
inspect notes.txt
inspect notes.pth
inspect .
"""


def test_mistakes_in_paths_names_and_files_are_answered_without_tensorflow(tiny_run, tmp_path):
    for name in ("notes.txt", "notes.keras", "notes.pth", "notes.h5", "clip.mp4"):
        (tmp_path / name).write_text("milk, bread")
    for name in ("images/trainA", "images/trainB", "model/1"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "model/1/saved_model.pb").touch()
    Image.effect_noise((90, 80), 50).save(tmp_path / "a.png")
    Image.effect_noise((90, 80), 50).save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:-900])
    np.save(tmp_path / "gray_alpha.npy", np.zeros((9, 9, 2), np.uint8))
    code = (
        "import importlib, sys\nfrom cyclegan_tf.errors import UserError\n"
        "for line in sys.argv[1].strip().splitlines():\n"
        "    command, *words = line.split()\n"
        "    main = importlib.import_module(f'cyclegan_tf.{command}.command').main\n"
        "    try:\n        main(words)\n"
        "    except UserError as error:\n        print(error)\n"
        "    else:\n        sys.exit(f'{line}: no mistake')\n"
        "    if 'tensorflow' in sys.modules:\n        sys.exit(f'{line}: TensorFlow')\n"
    )
    mistakes = MISTAKES.replace("RUN", str(tiny_run))
    answered = run("-c", code, mistakes, cwd=tmp_path)
    assert answered.returncode == 0, answered.stderr
    assert len(answered.stdout.splitlines()) == len(MISTAKES.split("\n")) - 2


@pytest.mark.parametrize("name", COMMANDS)
def test_each_is_a_subcommand_with_its_program_in_the_usage(monkeypatch, capsys, name):
    # as `python -m cyclegan_tf.NAME`, and as the console script
    monkeypatch.setattr(os, "environ", dict(os.environ))
    for words, started, shown in (
        ([name, "--help"], "/usr/bin/cyclegan-tf", f"cyclegan-tf {name}"),
        ([name, "--help"], "a/cyclegan_tf/__main__.py", f"python -m cyclegan_tf {name}"),
        (None, f"a/cyclegan_tf/{name}/__main__.py", f"python -m cyclegan_tf.{name}"),
    ):
        monkeypatch.setattr(sys, "argv", [started, "--help"])
        with pytest.raises(SystemExit) as caught:
            door.start(name) if words is None else door.main(words)
        assert caught.value.code == 0
        printed = capsys.readouterr().out
        assert printed.startswith(f"usage: {shown} ")
        assert f"\nexample: {shown} " in printed


def test_exit_statuses_pass(monkeypatch, capsys):
    with pytest.raises(SystemExit) as caught:
        door.main(["check", "no/where"])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("error: SOURCE: the folder no/where does not exist")


def test_versions_need_no_command(capsys):
    with pytest.raises(SystemExit) as caught:
        door.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("cyclegan_tf ")


@pytest.mark.parametrize("words", [["cyclegan_tf.check", "images"], ["cyclegan_tf", "--version"]])
def test_a_missing_package_is_one_sentence(words):
    """As it is for who has not activated the environment: Python without any package."""
    done = run("-S", "-E", "-m", *words)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the package ")
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert "pip install" in done.stderr or "activate" in done.stderr
