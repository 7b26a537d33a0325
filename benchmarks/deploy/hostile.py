"""Hostile requests against the server, which it starts itself on 127.0.0.1.

    python -m benchmarks.deploy.hostile OUT [--requests 2000] [--seconds 60] [--connections 16]
        [--idle 1000] [--size_px 256]

First hostile requests one after the other: broken heads, bodies and images, in random mutations,
each on a connection of its own. Then a load of which one request in ten is hostile, beside idle
connections that are opened again whenever the server closes them. Exit status 1: a good request
failed, an answer was 5xx, or the server did not end in order.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import re
import resource
import socket
import sys
import threading
from collections import Counter
from pathlib import Path

from benchmarks.deploy import serve_load

PATIENCE_SECONDS = 30.0
BETWEEN_OPENINGS_SECONDS = 0.5


def hostile_requests(path: str, good: bytes, seed: int = 0):
    """Endless requests as bytes, head and body, in a random order that depends on the seed."""
    rng = random.Random(seed)
    bodies = [serve_load.body_of(good), *serve_load.bad_bodies(good)]
    lines = [
        "GET / HTTP/1.1", "HEAD /v1/models HTTP/1.1", "POST /v1/models/a:regress HTTP/1.1",
        "GET /../../etc/passwd HTTP/1.1", "GET /%00 HTTP/1.1", "BREW / HTTP/9", "\x00\x01\x02",
        f"GET /{'a' * 20_000} HTTP/1.1", f"POST {path} HTTP/1.1",
    ]  # fmt: skip
    heads = [
        "Host: evil.example", "Content-Length: -1", "Content-Length: 1\r\nContent-Length: 2",
        "Transfer-Encoding: chunked", "Content-Encoding: gzip", "Content-Encoding: br", ": x",
        "Expect: 100-continue", "Upgrade: websocket\r\nConnection: upgrade", "Content-Length: 99a",
        "Origin: http://evil.example", f"X: {'y' * 30_000}",
    ]  # fmt: skip
    while True:
        body = bytearray(rng.choice(bodies))
        for _ in range(rng.randint(0, 4)):
            at = rng.randrange(len(body) + 1)
            body[at : at + rng.randint(0, 9)] = rng.randbytes(rng.randint(0, 9))
        line = rng.choice(lines) if rng.random() < 0.3 else f"POST {path} HTTP/1.1"
        head = [line, "Host: 127.0.0.1", "Connection: close"]
        if rng.random() < 0.4:
            head.append(rng.choice(heads))
        if rng.random() < 0.9:
            head.append(f"Content-Length: {len(body)}")
        yield "\r\n".join([*head, "", ""]).encode("latin-1") + bytes(body)


def status_of(port: int, request: bytes) -> int:
    """The status that a request gets; 0 for none (the connection was closed)."""
    answer = b""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(PATIENCE_SECONDS)
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        while b"\r\n" not in answer and (part := connection.recv(2**16)):
            answer += part
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(found[1]) if found else 0


class IdleConnections:
    """Connections that send nothing or half a head, opened again when they are closed.

    Example:
      >>> with IdleConnections(port, 1000) as idle:
      ...     time.sleep(60)
      >>> idle.opened
    """

    def __init__(self, port: int, count: int) -> None:
        self._port, self._count, self.opened = port, count, 0
        self._open: list[socket.socket] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_open, daemon=True)

    def _keep_open(self) -> None:
        while not self._stop.is_set():
            self._open = [each for each in self._open if not self._is_closed(each)]
            while len(self._open) < self._count and not self._stop.is_set():
                try:
                    each = socket.create_connection(("127.0.0.1", self._port), 5)
                except OSError:
                    break
                if self.opened % 2:
                    each.sendall(b"POST / HT")
                each.setblocking(False)
                self._open.append(each)
                self.opened += 1
            self._stop.wait(BETWEEN_OPENINGS_SECONDS)

    @staticmethod
    def _is_closed(connection: socket.socket) -> bool:
        try:
            closed = connection.recv(2**12) == b""
        except BlockingIOError:
            return False
        except OSError:
            closed = True
        if closed:
            connection.close()
        return closed

    def __enter__(self) -> IdleConnections:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for each in self._open:
            each.close()


def main(argv: list[str] | None = None) -> int:
    """Starts the server, attacks it, prints what came of it, writes the JSON file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("export", metavar="OUT", type=Path, help="an export folder")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("--size_px", type=int, default=256)
    parser.add_argument("--out", type=Path, default=Path("runs/hostile.json"))
    arguments = parser.parse_args(argv)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    data, server = serve_load.image(arguments.size_px), serve_load.Server(arguments.export)
    try:
        path = f"/v1/models/{server.wait_until_ready()[0]}:predict"
        requests = hostile_requests(path, data)
        statuses = Counter(
            status_of(server.port, next(requests)) for _ in range(arguments.requests)
        )
        with IdleConnections(server.port, arguments.idle) as idle:
            phase = serve_load.run_phase(server, path, arguments, data, serve_load.BAD_SHARE)
        exit_status = server.stop()
    finally:
        if server.process.poll() is None:
            server.process.kill()
    results = {
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "answers_5xx": sum(count for status, count in statuses.items() if status >= 500),
        "idle_opened": idle.opened,
        "server_exit_status": exit_status,
        "load": phase.summary(),
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=1) + "\n")
    load = phase.summary()
    print(f"{arguments.requests} hostile requests, by status (0: closed): {results['statuses']}")
    print(f"load: {load['good']} good answered, {load['good_failed']} failed; "
          f"{load['bad_sent']} hostile, {load['bad_wrong']} not answered with 4xx; "
          f"{idle.opened} idle connections opened")  # fmt: skip
    print(f"memory MB, first and last quarter: {load['rss_first_mb']} -> {load['rss_last_mb']}")
    print(f"written: {arguments.out}")
    wrong = results["answers_5xx"] or phase.good_failed or phase.bad_wrong or exit_status
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
