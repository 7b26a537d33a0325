"""The one exception, and what becomes of others when a file is read."""

import json
import os
import re
from pathlib import Path

import pytest

from cyclegan_tf import errors
from cyclegan_tf.errors import UserError, cannot_read, reading
from tests.helpers.errors import refused


def deep():
    json.loads("[" * 100_000)


@pytest.mark.parametrize(
    ("fail", "reason"),
    [
        (deep, "recursion"),
        (lambda: b"\xff".decode(), "utf-8"),
        (lambda: [][1], "list index"),
        (lambda: open("gone"), "No such file or directory"),  # noqa: SIM115
        (lambda: (_ for _ in ()).throw(MemoryError), "MemoryError"),
        (lambda: json.loads("{\n\n]"), "line 3"),
    ],
)
def test_whatever_a_parser_raises_is_one_sentence(fail, reason):
    def raised():
        result = fail()
        return next(result) if hasattr(result, "__next__") else result

    with (
        refused("unreadable", "a.json", match="it must hold all.$") as caught,
        reading("a.json", "it must hold all"),
    ):
        raised()
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_sentence_passes_and_so_does_the_wish_to_end():
    with refused("missing", "b"), reading("a.json", "no"):
        raise UserError("It is not there.", code="missing", field="b")
    with pytest.raises(KeyboardInterrupt), reading("a.json", "no"):
        raise KeyboardInterrupt


def test_what_the_system_does_not_open_is_missing_or_unreadable():
    gone = cannot_read(Path("a"), FileNotFoundError(2, "No such file"), "it should be b")
    assert (str(gone), gone.code) == ("a cannot be read: No such file; it should be b.", "missing")
    barred = cannot_read(Path("a"), PermissionError(13, "Permission denied"))
    assert str(barred) == "a cannot be read: Permission denied."
    assert (barred.code, barred.field) == ("unreadable", "a")


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch, tmp_path):
    monkeypatch.setattr(errors, "__file__", str(tmp_path / "clone" / "cyclegan_tf" / "errors.py"))
    wanted = 'the package av is not installed: pip install ".[video]" (in the clone of cyclegan_tf)'
    assert errors.not_installed("av") == wanted
    assert errors.not_installed("jsonargparse").endswith(
        ": pip install . (in the clone of cyclegan_tf)"
    )
    activate = tmp_path / "clone" / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "activate"
    activate.parent.mkdir(parents=True)
    activate.touch()
    assert errors.not_installed("jsonargparse").endswith(str(activate))
    assert errors.not_installed("av") == wanted


def test_every_package_of_an_extra_is_one_of_the_project():
    project = (Path(errors.__file__).parents[1] / "pyproject.toml").read_text()
    for name, extra in errors.EXTRAS.items():
        (listed,) = re.findall(rf"^{extra} = \[(.*?)\]\n", project, re.MULTILINE | re.DOTALL)
        assert name.replace("_", "-") in listed, name
