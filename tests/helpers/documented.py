"""The commands and programs of the documentation, taken out of its pages as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def section(page: str, heading: str) -> str:
    """The text under a heading, to the next one.

    Args:
      page: path from the root.
      heading: its words; "" for what comes before the first of second order.
    """
    text = (ROOT / page).read_text("utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(["", *parts[1::2]], parts[0::2], strict=True))[heading]


def commands(page: str, heading: str, program: str = "cyclegan-tf") -> list[list[str]]:
    """The command lines of a section as words, without comments.

    Args:
      page: path from the root.
      heading: of the section.
      program: the first word; lines of others are left out.
    """
    indented = re.findall(r"^ {4}(.*)$", section(page, heading), re.MULTILINE)
    lines = "\n".join(indented).replace("\\\n", " ").splitlines()
    found = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
    return [words for words in found if words[:1] == [program]]


def programs(page: str, heading: str) -> list[str]:
    """The Python programs of a section: fenced, or indented and beginning with an import."""
    text = section(page, heading)
    fenced = [code for language, code in _FENCE.findall(text) if language == "python"]
    blocks = re.findall(r"(?:^(?: {4}.*)?\n)+", _FENCE.sub("", text), re.MULTILINE)
    plain = [re.sub(r"^ {4}", "", block, flags=re.MULTILINE).strip() for block in blocks]
    return fenced + [code for code in plain if code.startswith("import ")]
