"""Describes exported files: SavedModel, .tflite and ONNX, read without running them."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cyclegan_tf.errors import UserError, install_command
from cyclegan_tf.export.model_card import sha256
from cyclegan_tf.export.outputs import CARD_NAME
from cyclegan_tf.inspect.readable import newest_version

_CARD_FIELDS = (
    "name", "direction", "created", "checkpoint", "data_source", "parameters", "scores",
    "training_scale", "value_ranges", "cyclegan_tf", "tensorflow",
    "git_commit", "largest_difference_from_keras",
)  # fmt: skip
_PARITY_FIELDS = (
    "psnr_db",
    "worst_psnr_db",
    "ssim",
    "max_abs",
    "latency_ms",
    "delegated",
    "fault",
)
_METADATA = b"TFLITE_METADATA"
# of ModelMetadata in TFLite's metadata schema
_SLOTS = {"name": 0, "description": 1, "version": 2, "author": 4}


def inspect_saved_model(folder: Path) -> dict[str, Any]:
    """Describes a SavedModel: signatures, number of weights, operations, and its card.

    Args:
      folder: that holds saved_model.pb, or versions of a model as TF Serving wants them: then the
        newest.

    Raises:
      UserError: it is damaged.
    """
    from cyclegan_tf.foreign import programs

    folder = newest_version(folder)
    model = programs.read_saved_model((folder / "saved_model.pb").read_bytes(), str(folder))
    graph = model.meta_graphs[0]
    signatures = {
        name: value for name, value in graph.signature_def.items() if not name.startswith("__")
    }
    functions = graph.graph_def.library.function
    nodes = [*graph.graph_def.node, *(node for function in functions for node in function.node_def)]
    found: dict[str, Any] = {
        "kind": "SavedModel",
        "version_folder": str(folder),
        "made_with_tensorflow": graph.meta_info_def.tensorflow_version,
        "size_bytes": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        "values_in_variables": _values(folder),
        "tensors": [
            {"signature": name, "way": way, "name": key, **_tensor_info(info)}
            for name, signature in sorted(signatures.items())
            for way, tensors in (("in", signature.inputs), ("out", signature.outputs))
            for key, info in sorted(tensors.items())
        ],
        "operations": _counted(node.op for node in nodes),
    }
    if refused := programs.refused_operations(model):
        reason = "operations that may touch files, the network or Python"
        found["notes"] = [f"run with --trust only, as it holds {reason}: {', '.join(refused)}"]
    return found | _provenance(folder, folder / "assets.extra" / CARD_NAME)


def _values(folder: Path) -> int | None:
    """How many numbers the variables of a SavedModel hold; None where they cannot be listed."""
    import tensorflow as tf

    if not (folder / "variables" / "variables.index").is_file():
        return None
    try:
        listed = tf.train.list_variables(str(folder / "variables" / "variables"))
    except (tf.errors.OpError, RuntimeError, ValueError):
        return None
    return sum(math.prod(shape) for name, shape in listed if name.endswith("VARIABLE_VALUE"))


def _tensor_info(info: Any) -> dict[str, Any]:
    import tensorflow as tf

    unknown = info.tensor_shape.unknown_rank
    shape = (
        None
        if unknown
        else [None if side.size < 0 else side.size for side in info.tensor_shape.dim]
    )
    return {"dtype": tf.dtypes.as_dtype(info.dtype).name, "shape": shape}


def inspect_tflite(path: Path) -> dict[str, Any]:
    """Describes a .tflite file: tensors, operations, metadata, card and parity report beside it.

    Raises:
      UserError: it is damaged.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=plain)
        ends = {"in": interpreter.get_input_details(), "out": interpreter.get_output_details()}
        operations = _counted(node["op_name"] for node in interpreter._get_ops_details())
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"{path} is damaged or not a .tflite file; export it again.",
            code="unreadable",
            field=str(path),
        ) from error
    return {
        "kind": "LiteRT (.tflite) file",
        "size_bytes": path.stat().st_size,
        "tensors": [
            {"way": way, **_tensor_details(tensor)}
            for way, tensors in ends.items()
            for tensor in tensors
        ],
        "operations": operations,
        "metadata": _metadata(path.read_bytes()),
        "packed_files": _packed(path),
        **_provenance(path, path.parent / CARD_NAME),
    }


def _tensor_details(tensor: Mapping[str, Any]) -> dict[str, Any]:
    scale, zero_point = tensor["quantization"]
    found = {
        "name": tensor["name"],
        "dtype": tensor["dtype"].__name__,
        "shape": [None if side < 0 else int(side) for side in tensor["shape_signature"]],
    }
    return found | ({"quantization": f"{scale:g} (q - {zero_point})"} if scale else {})


def _metadata(model: bytes) -> dict[str, str]:
    """Name, description, author and version out of TFLite Metadata.

    The model's own description where there is none.
    """
    from ai_edge_litert import schema_py_generated as schema

    root = schema.Model.GetRootAs(bytearray(model), 0)
    entries = [root.Metadata(index) for index in range(root.MetadataLength())]
    for entry in entries:
        if entry.Name() == _METADATA:
            data = bytearray(root.Buffers(entry.Buffer()).DataAsNumpy().tobytes())
            return {key: text for key, slot in _SLOTS.items() if (text := _text(data, slot))}
    description = root.Description()
    return {"description": description.decode(errors="replace")} if description else {}


def _text(buffer: bytearray, slot: int) -> str | None:
    """A string field of a FlatBuffer's root table."""
    import flatbuffers

    table = flatbuffers.table.Table(
        buffer, flatbuffers.encode.Get(flatbuffers.packer.uoffset, buffer, 0)
    )
    offset = table.Offset(4 + 2 * slot)
    return table.String(offset + table.Pos).decode(errors="replace") if offset else None


def _packed(path: Path) -> list[str]:
    if not zipfile.is_zipfile(path):
        return []
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def inspect_onnx(path: Path) -> dict[str, Any]:
    """Describes an ONNX file: tensors, operations, number of weights (extra `onnx`).

    Raises:
      UserError: it is damaged, or the extra is missing.
    """
    if importlib.util.find_spec("onnx") is None:
        raise UserError(f"ONNX files need onnx: {install_command('onnx')}", code="dependency")
    import onnx as library
    from google.protobuf.message import DecodeError

    try:
        model = library.load(str(path), load_external_data=False)
    except DecodeError as error:
        raise UserError(
            f"{path} is damaged or not an ONNX file; export it again.",
            code="unreadable",
            field=str(path),
        ) from error
    if not model.graph.node:
        raise UserError(
            f"{path} is damaged or not an ONNX file; export it again.",
            code="unreadable",
            field=str(path),
        )
    ends = {"in": model.graph.input, "out": model.graph.output}
    return {
        "kind": "ONNX file",
        "size_bytes": path.stat().st_size,
        "opset": {entry.domain or "ai.onnx": entry.version for entry in model.opset_import},
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "values_in_initializers": sum(math.prod(array.dims) for array in model.graph.initializer),
        "tensors": [
            {"way": way, **_value_info(value)} for way, values in ends.items() for value in values
        ],
        "operations": _counted(node.op_type for node in model.graph.node),
        **_provenance(path, path.parent / CARD_NAME),
    }


def _value_info(value: Any) -> dict[str, Any]:
    import onnx as library

    tensor = value.type.tensor_type
    shape = [side.dim_value if side.HasField("dim_value") else None for side in tensor.shape.dim]
    return {
        "name": value.name,
        "dtype": library.TensorProto.DataType.Name(tensor.elem_type).lower(),
        "shape": shape,
    }


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())


def _provenance(exported: Path, card_path: Path) -> dict[str, Any]:
    """What our card says of an export, whether the file is unchanged, and its parity row."""
    card = _json(card_path)
    if not card:
        return {}
    provenance = {key: card[key] for key in _CARD_FIELDS if card.get(key) not in (None, {})}
    provenance["files_as_exported"] = _as_exported(exported, card)
    rows = (_json(exported.parent / "parity.json") or {}).get("variants", [])
    stem = "onnx" if exported.suffix == ".onnx" else exported.stem
    parity = (
        next((row for row in rows if row.get("variant") == stem), None)
        if exported.is_file()
        else None
    )
    found: dict[str, Any] = {"provenance": provenance}
    return found | ({"parity": {key: parity.get(key) for key in _PARITY_FIELDS}} if parity else {})


def _as_exported(exported: Path, card: Mapping[str, Any]) -> bool | None:
    """Whether the checksums in the card hold; None where it names none of these files."""
    folder = exported if exported.is_dir() else exported.parent
    sums = card.get("files", {})
    wanted = (
        sums
        if exported.is_dir()
        else {name: value for name, value in sums.items() if name == exported.name}
    )
    if not wanted:
        return None
    return all(
        (folder / name).is_file() and sha256(folder / name) == value
        for name, value in wanted.items()
    )


def _json(path: Path) -> dict[str, Any] | None:
    """A JSON object; None where there is none that can be read."""
    with contextlib.suppress(OSError, ValueError):
        values = json.loads(path.read_text(encoding="utf-8"))
        return values if isinstance(values, dict) else None
    return None
