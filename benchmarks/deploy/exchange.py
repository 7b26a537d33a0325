"""One attack, carried out: what was sent, what came back, and what is wrong with that."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.deploy.attack import NONE, Attack
from benchmarks.deploy.oracle import Oracle

PATIENCE_SECONDS = 60.0
LINGER_SECONDS = 0.03
_HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r]*\r\n((?:[^\r]+\r\n)*)\r\n")
_LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Answer:
    """What came.

    Attributes:
      status: of HTTP (0 for none), or the name of gRPC's code.
      body: whole, or what came of it.

    Example:
      >>> Answer(400, b'{"error":"no"}')
    """

    status: Any
    body: bytes = b""


class Exchange:
    """Attacks a server.

    Example:
      >>> exchange = Exchange(server.port, grpc_port)
      >>> answers = exchange.carry_out(attack)
      >>> problems(attack, answers, oracle)
    """

    def __init__(self, port: int, grpc_port: int, quiet_seconds: float) -> None:
        """Takes the ports.

        Args:
          port: of HTTP.
          grpc_port: of gRPC.
          quiet_seconds: without an answer, after which the client has nothing more to send.
        """
        import grpc

        self._port, self._grpc_port, self._quiet = port, grpc_port, quiet_seconds
        self._grpc = grpc
        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        self._channel = grpc.insecure_channel(f"127.0.0.1:{grpc_port}", options)

    def close(self) -> None:
        """Close gRPC's channel."""
        self._channel.close()

    def carry_out(self, attack: Attack) -> list[Answer]:
        """Send an attack; give all answers, at least one."""
        if attack.method is not None:
            return [self._call(attack.method, attack.parts[0])]
        port = self._grpc_port if attack.to_grpc else self._port
        received = b""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as to:
            with contextlib.suppress(ConnectionError):
                for part in attack.parts:
                    to.sendall(part)
                    time.sleep(attack.pause)
            if not attack.leaves:
                received = self._received(to, attack)
        return answers_in(received) or [Answer(NONE)]

    def _received(self, connection: socket.socket, attack: Attack) -> bytes:
        """All that comes; where nothing need come, the client closes its side after a while."""
        received, may_be_none = b"", any(NONE in want.statuses for want in attack.wants)
        half_closed, end = False, time.monotonic() + PATIENCE_SECONDS
        while True:
            complete = len(answers_in(received, True)) >= len(attack.wants)
            waits = self._quiet if may_be_none and not half_closed else end - time.monotonic()
            connection.settimeout(LINGER_SECONDS if complete else max(waits, 0.001))
            try:
                part = connection.recv(2**16)
            except TimeoutError:
                if complete or half_closed or not may_be_none:
                    return received
                connection.shutdown(socket.SHUT_WR)
                half_closed = True
                continue
            except ConnectionError:
                return received
            if not part:
                return received
            received += part

    def _call(self, method: str, data: bytes) -> Answer:
        call = self._channel.unary_unary(method)
        try:
            return Answer("OK", call(data, timeout=PATIENCE_SECONDS))
        except self._grpc.RpcError as error:
            return Answer(error.code().name, error.details().encode())


def answers_in(received: bytes, complete: bool = False) -> list[Answer]:
    """The answers, those of status 1xx left out.

    Args:
      received: from a connection.
      complete: whether one that is not all there is left out, too.
    """
    answers = []
    while found := _HEAD.match(received):
        length = _LENGTH.search(found[2])
        end = found.end() + (int(length[1]) if length else 0)
        if complete and len(received) < end:
            break
        if not found[1].startswith(b"1"):
            answers.append(Answer(int(found[1]), received[found.end() : end]))
        received = received[end:]
    return answers


def problems(attack: Attack, answers: list[Answer], oracle: Oracle) -> list[str]:
    """What is wrong with the answers to an attack."""
    found: list[str | None] = []
    if len(answers) > len(attack.wants):
        found.append(f"{len(answers)} answers to {len(attack.wants)} requests")
    if len(answers) < len(attack.wants) and NONE not in attack.wants[len(answers)].statuses:
        found.append(f"{len(answers)} answers to {len(attack.wants)} requests")
    for want, answer in zip(attack.wants, answers, strict=False):
        if b"Traceback" in answer.body:
            found.append(f"a traceback: {answer.body[:300]!r}")
        if answer.status not in want.statuses:
            found.append(f"{answer.status}: {answer.body[:200]!r}")
        elif answer.status == 200 and want.body is not None:
            found.append(oracle.problem(want.body, answer.body))
        elif answer.status == 200 and want.file is not None:
            found.append(oracle.problem_of_file(want.file, answer.body))
        elif answer.status == "OK" and want.body is not None:
            found.append(oracle.problem_of_grpc(want.body, answer.body))
        elif isinstance(answer.status, int) and answer.status >= 400:
            found.append(_problem_of_refusal(answer))
    return [f"{attack.kind}: {one}" for one in found if one]


def _problem_of_refusal(answer: Answer) -> str | None:
    with contextlib.suppress(ValueError):
        if not answer.body or list(json.loads(answer.body)) == ["error"]:  # HEAD has no body
            return None
    return f"{answer.status} without a sentence: {answer.body[:100]!r}"
