"""A wheel of the package, in an environment of its own: commands, and every file it needs."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("cyclegan_tf", "configs", "pyproject.toml", "setup.py", "README.md", "LICENSE")
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]

pytestmark = pytest.mark.slow


def run(*command, **options):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of programs of an environment that holds the wheel, and sees the dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    for part in PARTS:  # building writes beside the sources
        if (ROOT / part).is_dir():
            leave_out = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / part, folder / "source" / part, ignore=leave_out)
        else:
            shutil.copy(ROOT / part, folder / "source" / part)
    build = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder / "dist")
    run(*PIP, *build, folder / "source")
    (wheel,) = (folder / "dist").iterdir()
    venv.create(folder / "clean", with_pip=False)
    programs = folder / "clean" / ("Scripts" if os.name == "nt" else "bin")
    run(*PIP, "--python", programs / "python", "install", "--no-deps", "--no-index", wheel)
    own = run(programs / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    # a path in a .pth file, whose own .pth files, such as of a checkout, are not read
    Path(own.strip(), "dependencies.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    return programs


FILES = """
import importlib.resources, pathlib, sys
import cyclegan_tf
from cyclegan_tf.config.files import find_config
assert pathlib.Path(cyclegan_tf.__file__).is_relative_to(sys.prefix), cyclegan_tf.__file__
assert pathlib.Path(find_config("modern")).is_relative_to(sys.prefix)
root = importlib.resources.files("cyclegan_tf")
print([name for name in sys.argv[1:] if not root.joinpath(name).is_file()])
"""


def test_every_file_that_is_no_module_comes_along(installed, tmp_path):
    listed = subprocess.run(
        ["git", "ls-files", "cyclegan_tf", "configs"], cwd=ROOT, capture_output=True, text=True
    ).stdout.split()
    wanted = [name.removeprefix("cyclegan_tf/") for name in listed if not name.endswith(".py")]
    assert len(wanted) > 20
    missing = run(installed / "python", "-I", "-c", FILES, *wanted, cwd=tmp_path)
    assert missing == "[]\n"


def test_the_command_is_there(installed, tmp_path):
    version = run(installed / "cyclegan-tf", "--version", cwd=tmp_path)
    assert version.startswith("cyclegan_tf ")
    assert "translate" in run(installed / "cyclegan-tf", "--help", cwd=tmp_path)
