"""Hooks of the site (mkdocs.yml): reference pages out of the code, options in one piece."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import os
import re
from pathlib import Path

import docstring_parser

import cyclegan_tf
from cyclegan_tf.config.experiment import SECTIONS

COMMANDS = {  # command -> the module of its options
    name: f"cyclegan_tf.{name}.{'plan' if name == 'train' else 'command'}"
    for name in (
        "train evaluate translate distill stylize translate_beam check export serve convert "
        "inspect doctor"
    ).split()
}


def commands() -> str:
    """The `--help` of every command."""
    os.environ["COLUMNS"] = "80"  # what a page shows
    sections = []
    for name, module in COMMANDS.items():
        parser = importlib.import_module(module).build_parser()
        parser.prog = f"cyclegan-tf {name}"
        sections.append(f"## {name}\n\n```text\n{parser.format_help()}\n```")
    return "\n\n".join(sections)


def configuration() -> str:
    """A table for each section of the experiment."""
    return "\n\n".join(_section(*entry) for entry in SECTIONS.items())


def _section(name: str, section: type) -> str:
    doc = docstring_parser.parse(section.__doc__ or "")
    about = {entry.arg_name: " ".join((entry.description or "").split()) for entry in doc.params}
    lines = [f"## {name}", "", doc.short_description or "", ""]
    lines += ["| option | meaning | default | values |", "|---|---|---|---|"]
    for entry in dataclasses.fields(section):
        values = re.sub(r"Literal\[(.*)\]", r"\1", str(entry.type)).replace("|", "or")
        cells = (f"`--{name}.{entry.name}`", about[entry.name], f"`{entry.default}`", values)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def python() -> str:
    """Signature and docstring of every public name."""
    train = importlib.import_module("cyclegan_tf.library.training").train
    found = {n: train if n == "train" else getattr(cyclegan_tf, n) for n in cyclegan_tf.__all__}
    return "\n\n".join(
        f"## cyclegan_tf.{name}\n\n```python\n{name}{inspect.signature(value)}\n```\n\n"
        f"```text\n{inspect.getdoc(value)}\n```"
        for name, value in found.items()
    )


def notebook() -> str:
    """The cells of the notebook, one heading lower."""
    path = Path(__file__).parent / "get_started" / "notebook.ipynb"
    shown = []
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        text = "".join(cell["source"])
        is_code = cell["cell_type"] == "code"
        shown.append(f"```python\n{text}\n```" if is_code else re.sub("^#", "##", text))
    return "\n\n".join(shown)


def on_page_markdown(markdown: str, **_: object) -> str:
    """MkDocs calls this for every page."""
    name = re.search(r"<!-- generated: (\w+) -->", markdown)
    return markdown.replace(name[0], globals()[name[1]]()) if name else markdown


def on_page_content(html: str, **_: object) -> str:
    """MkDocs calls this for every page: options in running text get a class (site.css)."""
    return re.sub(
        r"(?<!<pre>)<code>[^<]*</code>",
        lambda found: re.sub(r"--[\w.]+", r'<span class="option">\g<0></span>', found[0]),
        html,
    )
