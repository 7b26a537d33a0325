"""Which operations of a graph would fetch a tensor from a GPU, by the kernels TensorFlow has."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import kernels


@functools.cache
def _gpu_kernels(op_type: str) -> tuple[Any, ...]:
    found = kernels.get_registered_kernels_for_op(op_type).kernel
    return tuple(kernel for kernel in found if kernel.device_type in ("GPU", "DEFAULT"))


def _kernel(op: tf.Operation) -> Any:
    """The kernel that a GPU would run an operation by; None where only the processor can."""
    for kernel in _gpu_kernels(op.type):
        if all(
            op.get_attr(c.name) in [tf.as_dtype(t) for t in c.allowed_values.list.type]
            for c in kernel.constraint
            if c.allowed_values.list.type
        ):
            return kernel
    return None


def _argument_names(op: tf.Operation, arguments: Any) -> list[str]:
    """The argument that each input (or output) belongs to; lists are laid out."""
    names = []
    for argument in arguments:
        count = 1
        if argument.number_attr:
            count = op.get_attr(argument.number_attr)
        elif argument.type_list_attr:
            count = len(op.get_attr(argument.type_list_attr))
        names += [argument.name] * count
    return names


def _lies_on_host(tensor: tf.Tensor) -> bool:
    """Whether a tensor is made in the processor's memory."""
    op = tensor.op
    if tensor.dtype in (tf.resource, tf.variant, tf.string) or op.type == "Const":
        return True  # a constant lies wherever it is wanted
    if op.type == "Placeholder":
        return False
    if op.type in ("Identity", "NoOp") and tensor.dtype == tf.int32:
        return _lies_on_host(op.inputs[0])
    kernel = _kernel(op)
    if kernel is None:
        return True
    names = _argument_names(op, op.op_def.output_arg)
    return names[tensor.value_index] in kernel.host_memory_arg


def fetches(graph: tf.Graph) -> Iterator[tuple[str, str]]:
    """Lists what a GPU would be waited for within a graph.

    Yields:
      Type and name of the operation that wants a tensor of the GPU in the processor's memory, and
      the tensor.
    """
    for op in graph.get_operations():
        if op.type in ("Const", "NoOp", "Placeholder") or not op.inputs:
            continue
        kernel = _kernel(op)
        names = _argument_names(op, op.op_def.input_arg)
        for name, tensor in zip(names, op.inputs, strict=True):
            wants_host = kernel is None or name in kernel.host_memory_arg
            if wants_host and not _lies_on_host(tensor):
                yield op.type, f"{op.name}({name}) <- {tensor.op.type} {tensor.op.name}"
