"""SavedModels of any origin, looked at before they are loaded: a SavedModel is a program."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from cyclegan_tf.devices import tf_internals
from cyclegan_tf.errors import UserError
from cyclegan_tf.foreign.content import what_bytes_are

# TensorFlow calls an operation stateful when it does more than compute its outputs. Of these, the
# following stay within the model; what is not known here is refused.
_WITHIN_THE_MODEL = re.compile(
    r"If|While|Case|StatefulPartitionedCall|Assert|CheckNumerics\w*|Print|Timestamp|DeviceIndex"
    r"|VarHandleOp|VarIsInitializedOp|ReadVariableOp|VariableShape|Variable|VariableV2"
    r"|TemporaryVariable|Assign\w*VariableOp|DisableCopyOnRead|DestroyResourceOp"
    r"|Resource(Apply|SparseApply|Scatter|Gather|StridedSlice|CountUpTo)\w*"
    r"|Random\w+|Multinomial|\w*TruncatedNormal|Stateful(Random|Standard|Uniform)\w*"
    r"|StatelessRandomGetAlg|NonDeterministicInts|Rng\w+|SampleDistortedBoundingBox\w*"
    r"|TensorArray\w*|Stack\w*|CudnnRNN\w*|GuaranteeConst|Empty|DeepCopy"
    r"|(Anonymous)?(Mutable|MutableDense)?HashTable\w*|LookupTable\w+|InitializeTableV2"
)
# These do touch files, the network, Python or code outside TensorFlow, stateful or not.
_BEYOND_THE_MODEL = re.compile(
    r"\w*(Dataset|Iterator)\w*|ReadFile|MatchingFiles|Reader\w+|ImmutableConst"
    r"|InitializeTableFromTextFile\w*|GenerateVocabRemapping|DecodeProtoV2|EncodeProto"
    r"|Debug\w+|Copy|CopyHost|CustomAggregator|\w*PyFunc\w*|Abort|XlaCustomCall\w*|XlaLaunch\w*"
    r"|TPU\w+|MlirPassthroughOp"
)
_OF_SAVING, _OF_RESTORING = {"SaveV2", "MergeV2Checkpoints"}, {"RestoreV2"}
_MAX_NAMED, _MAX_NAME = 5, 80


def read_saved_model(data: bytes, source: str) -> saved_model_pb2.SavedModel:
    """Reads the content of a saved_model.pb; nothing of it is run.

    Args:
      data: of the file.
      source: where it lies, for messages.

    Raises:
      UserError: it is damaged.
    """
    if found := what_bytes_are(data):
        raise UserError(f"saved_model.pb of {source} {found}.", code="unreadable", field=source)
    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString(data)
    except DecodeError:
        model.Clear()
    if not model.meta_graphs:
        raise UserError(
            f"saved_model.pb of {source} is damaged or not a SavedModel; export it again.",
            code="unreadable",
            field=source,
        )
    return model


def refuse_foreign_programs(model: saved_model_pb2.SavedModel, source: str) -> None:
    """Refuses a SavedModel that would do more than compute when it is loaded or called.

    Args:
      model: from `read_saved_model`.
      source: where it lies, for messages.

    Raises:
      UserError: it refers to what it lacks, or holds operations that touch files, the network or
        Python.
    """
    # First: damage hides which operations only restore the variables.
    lacking = sorted({name for graph in model.meta_graphs for name in _Program(graph).lacking()})
    if lacking:
        named = ", ".join(name[:_MAX_NAME] for name in lacking[:_MAX_NAMED])
        raise UserError(
            f"{source} is damaged, or needs another library: it refers to {named}, which neither "
            "it nor this TensorFlow has; copy it again.",
            code="unreadable",
            field=source,
        )
    found = refused_operations(model)
    if found:
        named = ", ".join(found[:_MAX_NAMED]) + ", ..." * (len(found) > _MAX_NAMED)
        raise UserError(
            f"{source} holds operations that may touch files, the network or Python ({named}), "
            "and running it would carry them out; give --trust if you trust whoever made it.",
            code="unsupported",
            field=source,
        )


def refused_operations(model: saved_model_pb2.SavedModel) -> list[str]:
    """Operations of a SavedModel that may touch files, the network or Python, by name.

    Those that save and restore its variables are left out, as long as nothing else reaches them.
    """
    return sorted({name for graph in model.meta_graphs for name in _Program(graph).refused()})


class _Program:
    """A graph and its functions, as units that refer to each other: one node, or one function."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._units: dict[str, list[Any]] = {
            f"function {one.signature.name}": list(one.node_def)
            for one in graph.graph_def.library.function
        } | {f"node {node.name}": [node] for node in graph.graph_def.node}

    def lacking(self) -> Iterator[str]:
        """Names that the graph uses, and that neither it nor TensorFlow has."""
        saver = self._graph.saver_def
        tensors = [saver.save_tensor_name, saver.restore_op_name]
        tensors += [name for node in self._graph.graph_def.node for name in node.input]
        for signature in self._graph.signature_def.values():
            tensors += [
                one.name for one in (*signature.inputs.values(), *signature.outputs.values())
            ]
        for tensor in filter(None, tensors):
            if _unit_of(tensor) not in self._units:
                yield tensor
        names = {name for nodes in self._units.values() for node in nodes
                 for name in _functions_of(node)}  # fmt: skip
        for name in filter(None, names | set(self._graph.object_graph_def.concrete_functions)):
            is_here = f"function {name}" in self._units
            if not is_here and tf_internals.is_stateful_operation(name) is None:
                yield name

    def refused(self) -> Iterator[str]:
        saver = self._graph.saver_def
        saving = self._reached([_unit_of(saver.save_tensor_name)])
        restoring = self._reached([_unit_of(saver.restore_op_name)])
        elsewhere = self._reached([*(self._units.keys() - saving - restoring), *self._called()])
        for name, nodes in self._units.items():
            allowed: set[str] = set()
            if name not in elsewhere and name not in saving & restoring:
                allowed = _OF_SAVING if name in saving else _OF_RESTORING
            yield from (node.op for node in nodes if self._is_refused(node, allowed))

    def _called(self) -> Iterator[str]:
        """Units that are reached from outside the graph, other than by saving and restoring."""
        for signature in self._graph.signature_def.values():
            for tensor in (*signature.inputs.values(), *signature.outputs.values()):
                yield _unit_of(tensor.name)
        for name in self._graph.object_graph_def.concrete_functions:
            yield f"function {name}"
        for collection in self._graph.collection_def.values():
            yield from map(_unit_of, collection.node_list.value)

    def _reached(self, starts: Iterable[str]) -> set[str]:
        waiting, reached = list(starts), set[str]()
        while waiting:
            unit = waiting.pop()
            if unit in self._units and unit not in reached:
                reached.add(unit)
                within_graph = unit.startswith("node ")
                for node in self._units[unit]:
                    waiting += [f"function {name}" for name in _functions_of(node)]
                    waiting += [_unit_of(name) for name in node.input if within_graph]
        return reached

    def _is_refused(self, node: Any, allowed: set[str]) -> bool:
        if node.op in allowed or f"function {node.op}" in self._units:
            return False
        if node.op == "PrintV2":  # to a file, or to the terminal
            return node.attr["output_stream"].s.startswith(b"file:")
        if _BEYOND_THE_MODEL.fullmatch(node.op):
            return True
        return tf_internals.is_stateful_operation(
            node.op
        ) is not False and not _WITHIN_THE_MODEL.fullmatch(node.op)


def _unit_of(tensor: str) -> str:
    return "node " + tensor.removeprefix("^").split(":")[0]


def _functions_of(node: Any) -> Iterator[str]:
    yield node.op
    for value in node.attr.values():
        yield value.func.name
        yield from (function.name for function in value.list.func)


def refuse_changed_files(
    card: str | None, digest: Callable[[str], str | None], source: str
) -> None:
    """Refuses an export whose files are not those that its card lists.

    Args:
      card: the text of card.json; None where there is none, and so nothing to compare with.
      digest: sha256, in hexadecimal, of a file by its name in the card; None where it is missing.
      source: the export, for messages.

    Raises:
      UserError: a file is missing or was changed, or the card is damaged.
    """
    if card is None:
        return
    try:
        files = dict(json.loads(card).get("files", {}))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"card.json of {source} is damaged; copy it again.",
            code="unreadable",
            field=source,
        ) from error
    for name, wanted in files.items():
        found = digest(name)
        if found != wanted:
            raise UserError(
                f"{name} of {source} is not as it was exported (its checksum differs); copy it "
                "again."
                if found
                else f"{source} lacks {name}; copy it again.",
                code="mismatch" if found else "missing",
                field=source,
            )
