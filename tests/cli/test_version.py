"""`--version` of every command."""

from importlib import metadata

import pytest

from cyclegan_tf import cli
from cyclegan_tf.cli.version import version_text


def test_it_names_what_results_depend_on():
    text = version_text()
    for name in ("tensorflow", "keras"):
        assert metadata.version(name) in text


def test_what_is_not_installed_is_said(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert "TensorFlow not installed" in version_text()


def test_every_parser_has_it_whatever_else_is_typed(capsys):
    parser = cli.Parser(command="example")
    parser.add_argument("place")
    with pytest.raises(SystemExit) as caught:
        parser.parse(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == version_text() + "\n"
    assert "--version" in parser.format_help()
    assert "--version" not in parser.option_names()
