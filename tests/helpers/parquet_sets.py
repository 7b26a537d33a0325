"""Parquet files of images, written as the Hugging Face Hub's `datasets` does."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def encoded(value: int, kind: str = "PNG", size: tuple[int, int] = (20, 24)) -> dict[str, Any]:
    """An image as a cell holds it: a flat one of this gray value."""
    file = io.BytesIO()
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(file, kind)
    return {"bytes": file.getvalue(), "path": None}


def pairs(count: int, first: int = 0) -> dict[str, list[Any]]:
    """Rows with an image of each domain."""
    return {
        "imageA": [encoded(first + index) for index in range(count)],
        "imageB": [encoded(100 + first + index) for index in range(count)],
    }


def write(
    path: Path, columns: Mapping[str, Sequence[Any]], features: Mapping[str, Any] | None = None
) -> None:
    """Writes a file.

    Args:
      path: of it; its folders are made.
      columns: name -> values.
      features: what `datasets` says of the columns; None says nothing.
    """
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({name: list(values) for name, values in columns.items()})
    if features is not None:
        about = json.dumps({"info": {"features": features}}).encode()
        table = table.replace_schema_metadata({b"huggingface": about})
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(table, path)
