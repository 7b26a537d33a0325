"""The house's rules: imports run one way, every module has its test, one place knows 127.5."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE, TESTS = ROOT / "cyclegan_tf", ROOT / "tests"
MODULES = sorted(PACKAGE.rglob("*.py"))
# What only assembles, runs or is tested through everything else.
WITHOUT_TEST = {"__init__.py", "__main__.py", "errors.py"}


def relative(path):
    return path.relative_to(PACKAGE).as_posix()


def imported(path):
    """Full names of what a module imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_imports_keep_the_contract():
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_contract_names_every_wing():
    # a new wing that the contract does not know could import what it likes
    tomllib = pytest.importorskip("tomllib", reason="part of Python from 3.11")
    with (ROOT / "pyproject.toml").open("rb") as file:
        contract, *_ = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    named = {name for layer in contract["layers"] for name in layer.replace("|", " ").split()}
    wings = {relative(path).split("/")[0].removesuffix(".py") for path in MODULES}
    assert named == wings - {"__init__", "__main__"}


def test_building_blocks_never_see_the_config():
    blocks = (
        "data/",
        "devices/",
        "features/",
        "images/",
        "metrics/",
        "model/",
        "networks/",
        "serve/",
        "volumes/",
    )
    for path in MODULES:
        if relative(path).startswith(blocks):
            assert not [name for name in imported(path) if name.startswith("cyclegan_tf.config")]


def test_every_module_has_a_test_file():
    wanted = {
        path.with_name(f"test_{path.name}").relative_to(PACKAGE)
        for path in MODULES
        if path.name not in WITHOUT_TEST
    }
    assert {str(path) for path in wanted if not (TESTS / path).is_file()} == set()


def test_one_module_knows_how_pixel_values_become_numbers():
    assert len([path for path in MODULES if "127.5" in path.read_text(encoding="utf-8")]) == 1


def test_files_stay_small():
    lengths = {relative(p): len(p.read_text(encoding="utf-8").splitlines()) for p in MODULES}
    assert {name: length for name, length in lengths.items() if length > 350} == {}


def test_the_root_holds_no_more_than_what_lies_between_the_wings():
    modules = [path.name for path in PACKAGE.glob("*.py")]
    assert len(modules) <= 5, modules


def test_inner_workings_of_tensorflow_and_keras_are_touched_in_two_files():
    touching = {
        relative(path)
        for path in MODULES
        if any(name.startswith(("tensorflow.python", "keras.src")) for name in imported(path))
    }
    assert touching <= {"devices/tf_internals.py", "networks/keras_internals.py"}


def test_every_public_class_shows_how_it_is_used():
    silent = [
        f"{relative(path)}: {node.name}"
        for path in MODULES
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        # errors are raised, and protocols are only named in signatures
        and not any(
            ast.unparse(base).endswith(("Error", "Exception", "Protocol")) for base in node.bases
        )
        and ">>>" not in (ast.get_docstring(node) or "")
    ]
    assert silent == []
