"""A report for a terminal: nested values as lines and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_INDENT = "  "
_MAX_OPERATIONS = 12
_SHORT = {
    "input_channels": "in",
    "output_channels": "out",
    "macs_published": "published",
    "macs_at_px": "at px",
    "receptive_field_px": "field px",
    "size_divisor_px": "multiple",
}
_LEGENDS = {
    "networks": [
        "MACs published: transposed convolutions charged for each output pixel, as most papers "
        "count",
        "field: what an output pixel sees through convolutions; normalization sees the whole image",
        "multiple: sides of images must be multiples of it",
    ]
}


def render_report(report: Mapping[str, Any]) -> str:
    """Renders a report as text; what is empty or unknown is left out.

    Args:
      report: of `inspector.inspect_path`.
    """
    single = {
        key: value
        for key, value in report.items()
        if key not in ("path", "kind") and not _is_section(value)
    }
    lines = [f"{report['path']}: {report['kind']}", *_pairs(single, "")]
    for key, value in report.items():
        if _is_section(value) and value:
            lines += ["", _label(key), *_section(key, value)]
    return "\n".join(lines)


def _is_section(value: Any) -> bool:
    return isinstance(value, dict | list)


def _section(key: str, value: Any) -> list[str]:
    if isinstance(value, dict):
        return _operations(value) if key == "operations" else _pairs(value, _INDENT)
    if all(isinstance(entry, dict) for entry in value):
        notes = [
            f"{entry.get('name', '')}: {note}" for entry in value for note in entry.get("notes", [])
        ]
        return [*_table(value), *(f"{_INDENT}{note}" for note in [*notes, *_LEGENDS.get(key, [])])]
    return [f"{_INDENT}{entry}" for entry in value]


def _pairs(values: Mapping[str, Any], indent: str) -> list[str]:
    known = {
        _label(key): _format_value(key, value)
        for key, value in values.items()
        if value not in (None, "", [], {})
    }
    width = max(map(len, known), default=0)
    return [f"{indent}{key:<{width}}  {value}" for key, value in known.items()]


def _operations(counts: Mapping[str, int]) -> list[str]:
    listed = [f"{count} {name}" for name, count in list(counts.items())[:_MAX_OPERATIONS]]
    more = [f"and {len(counts) - len(listed)} other kinds"] if len(counts) > len(listed) else []
    return [f"{_INDENT}{sum(counts.values())} in all: {', '.join([*listed, *more])}"]


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    keys = [key for key in dict.fromkeys(key for row in rows for key in row) if key != "notes"]
    keys = [key for key in keys if any(row.get(key) is not None for row in rows)]
    cells = [[_SHORT.get(key, _label(key)) for key in keys]]
    cells += [
        ["" if row.get(key) is None else _format_value(key, row[key]) for key in keys]
        for row in rows
    ]
    numeric = [all(isinstance(row.get(key), int | float | None) for row in rows) for key in keys]
    widths = [max(len(line[column]) for line in cells) for column in range(len(keys))]
    return [
        _INDENT
        + "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in cells
    ]


def _label(key: str) -> str:
    """A key of the report as words: macs_at_px -> MACs at px."""
    return (
        " ".join("MACs" if word == "macs" else word for word in key.split("_"))
        if "." not in key
        else key
    )


def _format_value(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key in ("macs", "macs_published"):
        return f"{value / 1e9:,.4g} G" if value >= 1e9 else f"{value / 1e6:,.4g} M"
    if key == "size_bytes":
        return f"{value / 1e6:,.4g} MB"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, dict):
        return ", ".join(
            f"{_label(str(name))} {_format_value(str(name), entry)}"
            for name, entry in value.items()
        )
    if isinstance(value, list | tuple):
        words = value and all(isinstance(entry, str) for entry in value)
        return ("; " if words else " x ").join(
            "?" if entry is None else str(entry) for entry in value
        )
    return "none" if value is None else str(value)
