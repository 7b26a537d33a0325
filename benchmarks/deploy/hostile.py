"""Hostile requests against the server, which it starts itself on 127.0.0.1, over REST and gRPC.

    python -m benchmarks.deploy.hostile OUT [--requests 2000] [--seconds 60] [--connections 16]
        [--idle 1000] [--size_px 256]

First hostile requests of thirteen kinds by turns, each on a connection of its own (see
`benchmarks/deploy/attacks.py`). Then a load of which one request in ten is hostile, beside idle
connections that are opened again whenever the server closes them. Every answer of status 200 is
compared bit for bit with the model's own, computed here without a server; the server's log is
searched for tracebacks, and for lines that are not its own. Memory is flat if the median of the
load's last quarter is at most 2 % above that of its first.

Where OUT holds no model, an untrained one is made there (resnet_6blocks, 32 filters). Exit status
1: anything wrong.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import functools
import http.client
import itertools
import json
import logging
import random
import re
import resource
import socket
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

from benchmarks.deploy import serve_load
from benchmarks.deploy.attack import Attack
from benchmarks.deploy.attacks import Attacks
from benchmarks.deploy.exchange import Answer, Exchange, problems
from benchmarks.deploy.oracle import Oracle
from benchmarks.deploy.request_bodies import body_of, image
from benchmarks.deploy.server import Server, newest_folder

BETWEEN_OPENINGS_SECONDS = 0.5
ATTACKERS = 8
QUIET_SECONDS = 1.0  # after which a client of the first phase has nothing more to send
GOOD_IMAGES = 8
FLAT = 1.02
OUR_LINE = re.compile(r"\d{4}-\d\d-\d\d ")  # of the log; libraries write others
SLOWEST_ANSWER_SECONDS = 10.0  # under load, before a client gives up
_log = logging.getLogger(__name__)


def make_model(out: Path) -> None:
    """Export an untrained generator to a folder that holds none."""
    if list(out.glob("saved_model/*/[0-9]*")):
        return
    from cyclegan_tf.export.saved_model import write_saved_model
    from cyclegan_tf.networks.builders import build_generator

    network = build_generator("resnet_6blocks", filters=32)
    write_saved_model(out / "saved_model" / "untrained_xy", network, 4, 256, {"checkpoint": "none"})


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


class Report:
    """What came of the attacks, by kind; methods may be called from any thread.

    Example:
      >>> report = Report()
      >>> report.add(attack, answers)
      >>> report.check(oracle)
    """

    def __init__(self) -> None:
        self._seen: list[tuple[Attack, list[Answer]]] = []
        self.problems: list[str] = []

    def add(self, attack: Attack, answers: list[Answer]) -> None:
        """Note what a server answered."""
        self._seen.append((attack, answers))

    def check(self, oracle: Oracle) -> None:
        """Compare all answers with the model's own."""
        for number, (attack, answers) in enumerate(self._seen):
            self.problems += [f"{number}, {one}" for one in problems(attack, answers, oracle)]

    def statuses(self) -> dict[str, dict[str, int]]:
        """Kind -> status -> how many answers."""
        found: dict[str, Counter] = defaultdict(Counter)
        for attack, answers in self._seen:
            found[attack.kind].update(str(answer.status) for answer in answers)
        return {kind: dict(sorted(counts.items())) for kind, counts in found.items()}

    def __len__(self) -> int:
        return len(self._seen)


def attack_alone(exchange: Exchange, attacks: Attacks, count: int) -> Report:
    """Carry attacks out, a few at a time."""
    report = Report()
    with concurrent.futures.ThreadPoolExecutor(ATTACKERS) as pool:
        for attack, answers in pool.map(
            lambda attack: (attack, exchange.carry_out(attack)), itertools.islice(attacks, count)
        ):
            report.add(attack, answers)
    return report


def is_right(oracle: Oracle, body: bytes, status: int, answer: bytes) -> bool:
    """Whether a good request got the model's own answer."""
    return status == 200 and oracle.problem(body, answer) is None


def attack_beside_load(
    server: Server,
    exchange: Exchange,
    model: str,
    arguments: argparse.Namespace,
    oracle: Oracle,
) -> tuple[serve_load.Phase, Report]:
    """Good requests, hostile ones among them; the phase and what the hostile ones came to."""
    path, report = f"/v1/models/{model}:predict", Report()
    lock, attacks = threading.Lock(), iter(Attacks(model, seed=1))
    good: list[serve_load.Good] = []
    for number in range(GOOD_IMAGES):
        data = image(arguments.size_px, seed=number)
        body = body_of(data)
        oracle.file(data)  # computed before the load begins
        good.append((body, functools.partial(is_right, oracle, body)))
    same_connection = serve_load.post_bad(path, image(arguments.size_px))

    def hostile(rng: random.Random, connection: http.client.HTTPConnection) -> str | None:
        if rng.random() < 0.5:
            return same_connection(rng, connection)
        with lock:
            attack = next(attacks)
        answers = exchange.carry_out(attack)
        with lock:
            report.add(attack, answers)
        return None

    phase = serve_load.run_phase(server, path, arguments, good, serve_load.BAD_SHARE, hostile)
    return phase, report


def results_of(server: Server, alone: Report, beside: Report, phase: serve_load.Phase) -> dict:
    """Everything that was found, for the JSON file."""
    load = phase.summary()
    tracebacks = sum("Traceback (most recent call last)" in line for line in server.lines)
    return {
        "hostile": len(alone),
        "statuses": alone.statuses(),
        "statuses_beside_load": beside.statuses(),
        "wrong": len(alone.problems) + len(beside.problems) + len(phase.bad_wrong),
        "problems": (alone.problems + beside.problems + phase.bad_wrong)[:50],
        "tracebacks": tracebacks,
        "lines_of_others": [line.rstrip() for line in server.lines if not OUR_LINE.match(line)],
        "memory_is_flat": load["rss_last_mb"] <= FLAT * load["rss_first_mb"],
        "log": [line.rstrip() for line in server.lines][-100:],
        "load": load,
    }


def main(argv: list[str] | None = None) -> int:
    """Starts the server, attacks it, logs what came of it, writes the JSON file."""
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
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    make_model(arguments.export)
    results = attack(arguments)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=1) + "\n")
    show(results)
    load = results["load"]
    wrong = results["wrong"] or results["lines_of_others"] or load["good_failed"]
    return 1 if wrong or results["server_exit_status"] or not results["memory_is_flat"] else 0


def attack(arguments: argparse.Namespace) -> dict:
    """Both phases, against a server that is started and stopped here."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        grpc_port = free.getsockname()[1]
    server = Server(arguments.export, f"--grpc_port={grpc_port}")
    try:
        model = server.wait_until_ready()[0]
        oracle = Oracle(newest_folder(arguments.export, model))
        started, exchange = time.monotonic(), Exchange(server.port, grpc_port, QUIET_SECONDS)
        alone = attack_alone(exchange, Attacks(model), arguments.requests)
        alone_seconds = time.monotonic() - started
        exchange.close()
        exchange = Exchange(server.port, grpc_port, SLOWEST_ANSWER_SECONDS)
        with IdleConnections(server.port, arguments.idle) as idle:
            phase, beside = attack_beside_load(server, exchange, model, arguments, oracle)
        exchange.close()
        exit_status = server.stop()
    finally:
        if server.process.poll() is None:
            server.process.kill()
    for report in (alone, beside):
        report.check(oracle)
    found = results_of(server, alone, beside, phase)
    more = {"idle_opened": idle.opened, "hostile_seconds": round(alone_seconds, 1)}
    return {"server_exit_status": exit_status, **more, **found}


def show(results: dict) -> None:
    """Log a summary."""
    load = results["load"]
    _log.info("%d hostile requests in %g s, by status (0: closed):", results["hostile"],
              results["hostile_seconds"])  # fmt: skip
    for kind, statuses in results["statuses"].items():
        _log.info("  %-13s %s", kind, statuses)
    _log.info("load: %d good answered, %d failed; %d hostile; %d idle connections opened",
      load["good"], load["good_failed"], load["bad_sent"], results["idle_opened"])  # fmt: skip
    _log.info("wrong answers: %d; tracebacks in the server's log: %d", results["wrong"],
              results["tracebacks"])  # fmt: skip
    for problem in results["problems"] + load["problems"] + results["lines_of_others"]:
        _log.info("  %s", problem)
    _log.info("memory MB, first and last quarter: %s -> %s", load["rss_first_mb"],
              load["rss_last_mb"])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
