"""TF Serving's JSON: request bodies to arrays, arrays to answers.

https://www.tensorflow.org/tfx/serving/api_rest
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cyclegan_tf.serve.models.limits import BAD_REQUEST, RequestError
from cyclegan_tf.serve.models.versions import DEFAULT_SIGNATURE
from cyclegan_tf.serve.rest import json_parts
from cyclegan_tf.serve.rest.json_parts import MAX_RANK, NumberArray

_SHOWN = 60  # characters of a wrong value in a message


@dataclass(frozen=True)
class PredictBody:
    """The body of a `:predict` request.

    Attributes:
      signature_name: which signature is called.
      rows: row form ("instances"), else columnar form ("inputs").
      value: what "instances" or "inputs" held, as JSON values; large arrays of numbers as
        NumberArray: alone, as elements of a list, as values of an object or of a list's objects.

    Example:
      >>> body = parse_body(b'{"instances": [[[[0.0, 0.5, 1.0]]]]}')
      >>> body.signature_name, body.rows
      >>> arrays = input_arrays(body, {"images": tf.TensorSpec((None, None, None, 3))})
    """

    signature_name: str
    rows: bool
    value: Any


def _bad(message: str) -> RequestError:
    return RequestError(BAD_REQUEST, message)


def parse_body(body: bytes) -> PredictBody:
    """Read the body of a `:predict` request.

    NaN and infinity, which TF Serving lets pass, are refused: no image holds them.

    Args:
      body: JSON, UTF-8.

    Raises:
      RequestError: 400; not JSON, nested too deeply, or without exactly one of "instances" and
        "inputs".
    """
    if not body:
        raise _bad("JSON Parse error: The document is empty")
    try:
        rest, arrays = json_parts.split(body)
        document = json.loads(rest.decode("utf-8"), parse_constant=json_parts.refuse_constant)
    except RecursionError as error:
        raise _bad("JSON Parse error: nested too deeply") from error
    except ValueError as error:
        raise _bad(f"JSON Parse error: {str(error)[:200]}") from error
    if not isinstance(document, dict):
        raise _bad("the body must be a JSON object with 'instances' or 'inputs'")
    name = document.get("signature_name", DEFAULT_SIGNATURE)
    if not isinstance(name, str):
        raise _bad("'signature_name' must be a string")
    keys = [key for key in ("instances", "inputs") if key in document]
    if len(keys) != 1:
        raise _bad(
            "Missing 'inputs' or 'instances' key"
            if not keys
            else "give either 'instances' or 'inputs', not both"
        )
    return PredictBody(
        name or DEFAULT_SIGNATURE, keys == ["instances"], _put_back(document[keys[0]], arrays)
    )


def _put_back(value: Any, arrays: Mapping[str, NumberArray], depth: int = 2) -> Any:
    """Put the arrays that were cut out of the body into their places."""
    if isinstance(value, str):
        return arrays.get(value, value)
    if depth and isinstance(value, list):
        return [_put_back(item, arrays, depth - 1) for item in value]
    if depth and isinstance(value, dict):
        return {key: _put_back(item, arrays, depth - 1) for key, item in value.items()}
    return value


def input_arrays(body: PredictBody, specs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Turn a body into the inputs of its signature.

    Args:
      body: the request.
      specs: input name -> something with `dtype`, a tf.DType.

    Returns:
      Input name -> array of the signature's type; strings as an object array of bytes. Shapes are
      as sent.

    Raises:
      RequestError: 400; wrong names, mixed forms, ragged lists, wrong types, wrong base64.
    """
    columns = _columns_of_rows(body.value, specs) if body.rows else _columns(body.value, specs)
    return {name: _array(name, value, specs[name].dtype) for name, value in columns.items()}


def _is_binary(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"}


def _columns_of_rows(rows: Any, specs: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(rows, NumberArray) and len(specs) == 1:
        return {next(iter(specs)): rows}
    if not isinstance(rows, list) or not rows:
        raise _bad("'instances' must be a list of at least one element")
    objects = [isinstance(row, dict) and not _is_binary(row) for row in rows]
    if not any(objects):
        if len(specs) > 1:
            raise _bad(f"each of 'instances' must be an object with {', '.join(sorted(specs))}")
        return {next(iter(specs)): rows}
    for index, row in enumerate(rows):
        if not objects[index]:
            raise _bad(f"element {index} of 'instances' is a plain value, and others are objects")
        if row.keys() != specs.keys():
            raise _bad(
                f"element {index} of 'instances' must have exactly these keys: "
                f"{', '.join(sorted(specs))}"
            )
    return {name: [row[name] for row in rows] for name in specs}


def _columns(value: Any, specs: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(value, dict) and not _is_binary(value):
        if not value.keys() >= specs.keys():  # TF Serving passes over others
            raise _bad(f"'inputs' must have these keys: {', '.join(sorted(specs))}")
        return {name: value[name] for name in specs}
    if len(specs) > 1:
        raise _bad(f"'inputs' must be an object with {', '.join(sorted(specs))}")
    return {next(iter(specs)): value}


def _array(name: str, value: Any, dtype: Any) -> np.ndarray:
    if isinstance(value, NumberArray):
        return _read(name, value, dtype)
    if isinstance(value, list) and any(isinstance(item, NumberArray) for item in value):
        arrays = [_array(name, item, dtype) for item in value]
        if len({array.shape for array in arrays}) != 1:
            raise _bad(f"{name} is ragged: its lists differ in length or depth")
        return np.stack(arrays)
    values, shape = _flatten(name, value)
    if dtype.name == "string":
        array = np.empty(len(values), object)
        array[:] = [_bytes_of(name, item) for item in values]
        return array.reshape(shape)
    wrong = set(map(type, values)) - _kinds(dtype)
    if wrong:
        item = next(item for item in values if type(item) in wrong)
        raise _bad(f"{name} must hold {dtype.name}, and {_shown(item)} is none")
    try:
        with np.errstate(over="ignore"):  # infinity, which `limits.check_inputs` refuses
            return np.array(values, dtype.as_numpy_dtype).reshape(shape)
    except (OverflowError, ValueError) as error:
        raise _bad(f"{name}: a number is too large for {dtype.name}") from error


def _kinds(dtype: Any) -> set[type]:
    if dtype.name == "string":
        return set()
    return {bool} if dtype.is_bool else {int} if dtype.is_integer else {int, float}


def _read(name: str, value: NumberArray, dtype: Any) -> np.ndarray:
    try:
        return value.read(_kinds(dtype), dtype.as_numpy_dtype)
    except TypeError as error:
        item = _shown(error.args[0])
        raise _bad(f"{name} must hold {dtype.name}, and {item} is none") from error
    except OverflowError as error:
        raise _bad(f"{name}: a number is too large for {dtype.name}") from error
    except ValueError as error:
        raise _bad(f"{name}: {str(error)[:200]}") from error


def _flatten(name: str, value: Any) -> tuple[list, tuple[int, ...]]:
    """Flatten nested lists to elements and shape; NumPy would guess where they are ragged."""
    values: list = [value]
    shape: list[int] = []
    while values and isinstance(values[0], list):
        if len(shape) == MAX_RANK:
            raise _bad(f"{name} is nested deeper than {MAX_RANK} lists")
        sizes = set(map(len, values)) if set(map(type, values)) == {list} else set()
        if len(sizes) != 1:
            raise _bad(f"{name} is ragged: its lists differ in length or depth")
        shape.append(sizes.pop())
        values = list(itertools.chain.from_iterable(values))
    if list in set(map(type, values)):
        raise _bad(f"{name} is ragged: its lists differ in length or depth")
    return values, tuple(shape)


def _bytes_of(name: str, item: Any) -> bytes:
    if isinstance(item, str):
        return item.encode("utf-8", "replace")
    if not _is_binary(item) or not isinstance(item["b64"], str):
        raise _bad(f'{name} must hold strings or {{"b64": "..."}}, and {_shown(item)} is neither')
    try:
        return _from_base64(item["b64"])
    except ValueError as error:
        raise _bad(f"{name}: Unable to base64 decode ({error})") from error


def _from_base64(text: str) -> bytes:
    # Python passes over padding that is none ("YWJj=", "YWJj====YWJj").
    padding = text.find("=")
    if len(text) % 4 or 0 <= padding < len(text) - 2:
        raise ValueError("wrong padding")
    return base64.b64decode(text, validate=True)


def _shown(item: Any) -> str:
    text = json.dumps(item)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def to_json(document: Any) -> bytes:
    """Encode as ASCII JSON, so that no text of a client can fail to be encoded."""
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def error_document(message: str) -> dict[str, str]:
    """The answer to a request that failed."""
    return {"error": message}


def status_document(statuses: Iterable[Any]) -> dict[str, Any]:
    """Build GetModelStatusResponse as JSON, newest version first.

    Args:
      statuses: things with `version`, `state`, `error_code` and `error_message`.
    """
    return {
        "model_version_status": [
            {
                "version": str(status.version),
                "state": status.state,
                "status": {"error_code": status.error_code, "error_message": status.error_message},
            }
            for status in sorted(statuses, key=lambda status: -status.version)
        ]
    }


def metadata_document(name: str, version: int, signature_defs: Mapping[str, Any]) -> dict[str, Any]:
    """Build GetModelMetadataResponse as JSON.

    Args:
      name: of the model.
      version: its number.
      signature_defs: signature name -> SignatureDef message.
    """
    from google.protobuf.json_format import MessageToDict

    as_dicts = {
        key: MessageToDict(
            message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        for key, message in signature_defs.items()
    }
    return {
        "model_spec": {"name": name, "signature_name": "", "version": str(version)},
        "metadata": {"signature_def": {"signature_def": as_dicts}},
    }
