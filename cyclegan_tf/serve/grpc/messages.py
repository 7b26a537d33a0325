"""Bytes to the messages that calls take: what cannot be read is the client's mistake."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError


class Reader(grpc.aio.ServerInterceptor):
    """Answers INVALID_ARGUMENT to a message that cannot be read.

    grpc itself answers UNKNOWN, with the name of Python's error.

    Example:
      >>> server = grpc.aio.server(interceptors=[Reader()])
    """

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        """Give the call's handler, which reads its message itself."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        answer, read = handler.unary_unary, handler.request_deserializer
        if inspect.iscoroutinefunction(answer):
            answer = _reading(answer, read)
        # Others are the stubs of calls that are not there, which look at no message.
        return grpc.unary_unary_rpc_method_handler(
            answer, response_serializer=handler.response_serializer
        )


def _reading(answer: Callable[[Any, Any], Awaitable[Any]], read: Callable[[bytes], Any]) -> Any:
    async def answer_to_bytes(data: bytes, context: Any) -> Any:
        try:
            request = read(data)
        except DecodeError:
            text = "the message cannot be read: it is damaged, or of another call"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, text)
        return await answer(request, context)

    return answer_to_bytes
