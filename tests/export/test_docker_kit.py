"""The images: what can be checked of them without Docker."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

tomllib = pytest.importorskip("tomllib", reason="part of Python from 3.11")

ROOT = Path(__file__).parents[2]
KIT = ROOT / "export" / "docker"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BOTH = pytest.mark.parametrize("kind", ["cpu", "gpu"])


def steps(kind):
    """Instruction and its words, lines put together."""
    text = (KIT / f"Dockerfile.{kind}").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def of(kind, instruction):
    return [words for name, words in steps(kind) if name == instruction]


@BOTH
def test_python_is_one_that_the_package_runs_on(kind):
    (image,) = of(kind, "FROM")
    version = tuple(map(int, re.fullmatch(r"python:(\d+)\.(\d+)-slim-\w+", image).groups()))
    low, high = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["requires-python"]).groups()
    assert (3, int(low)) <= version < (3, int(high))


@BOTH
def test_extras_exist_and_the_gpu_has_cuda(kind):
    (extras,) = [words.removeprefix("EXTRAS=").split(",") for words in of(kind, "ARG")]
    assert set(extras) <= set(PROJECT["optional-dependencies"])
    assert ("gpu" in extras) == (kind == "gpu")


@BOTH
def test_what_is_copied_exists_and_is_let_through(kind):
    ignored = (KIT / f"Dockerfile.{kind}.dockerignore").read_text().splitlines()
    copied = [source for words in of(kind, "COPY") for source in words.split()[:-1]]
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == set(copied)
    assert [name for name in copied if not (ROOT / name).exists()] == []
    # what building the package reads
    assert {"pyproject.toml", PROJECT["readme"], *PROJECT["license-files"], "configs"} <= set(
        copied
    )


@BOTH
def test_it_is_the_command_and_nobody_is_root(kind):
    (command,) = of(kind, "ENTRYPOINT")
    assert command == '["cyclegan-tf"]'
    assert "cyclegan-tf" in PROJECT["scripts"]
    (user,) = of(kind, "USER")
    assert not user.startswith(("root", "0"))


def test_documented_commands_name_files_images_and_subcommands():
    from cyclegan_tf.__main__ import COMMANDS

    text = (KIT / "README.md").read_text()
    lines = [shlex.split(line) for line in text.splitlines() if line.startswith("    docker ")]
    built = {words[words.index("-t") + 1] for words in lines if words[1] == "build"}
    for words in lines:
        if words[1] == "build":
            assert (ROOT / words[words.index("-f") + 1]).is_file()
        else:
            (image,) = set(words) & built
            assert words[words.index(image) + 1] in COMMANDS
    assert built == {"cyclegan-tf", "cyclegan-tf:gpu"}


@BOTH
def test_hadolint_finds_nothing(kind):
    beside = Path(sys.executable).with_name("hadolint")
    hadolint = str(beside) if beside.is_file() else shutil.which("hadolint")
    if hadolint is None:
        pytest.skip('hadolint is not installed: pip install ".[dev]"')
    command = [hadolint, "--no-color", KIT / f"Dockerfile.{kind}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
