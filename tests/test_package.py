"""The package as a library: lazy public names, Keras's registry, the list of commands."""

import importlib.util
import subprocess
import sys

import pytest

import cyclegan_tf
from cyclegan_tf.__main__ import COMMANDS
from tests.helpers.preloaded import run_code


def run(*words):
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=120, check=False
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


def test_without_arguments_it_lists_the_commands():
    done = run("-m", "cyclegan_tf")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[2:]] == list(COMMANDS)


def test_every_command_of_the_list_can_be_run():
    for name in COMMANDS:
        assert importlib.util.find_spec(f"cyclegan_tf.{name}.__main__"), name


def test_a_word_it_does_not_know_is_an_error():
    assert run("-m", "cyclegan_tf", "trian").returncode == 2
