"""A bounded load against the server, which it starts itself on 127.0.0.1.

    python -m benchmarks.deploy.serve_load OUT [--connections 16] [--seconds 60] [--size_px 256]

First good requests only, then one in ten is bad. The table shows the good requests that failed
(none may), latency, throughput, the server's resident memory over time, and the time of TensorFlow
alone for the same image. Exit status 1: a good request failed, or a bad one was not answered with
4xx.
"""

from __future__ import annotations

import argparse
import base64
import functools
import http.client
import json
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.deploy.request_bodies import bad_bodies, body_of, image
from benchmarks.deploy.server import Server, newest_folder

BAD_SHARE = 0.1
BARE_SECONDS = 10.0
SAMPLE_SECONDS = 0.5


@dataclass
class Phase:
    """What one phase of the load saw; latencies in seconds, memory in bytes.

    Example:
      >>> phase = run_phase(server, path, arguments, data, bad_share=0.1)
      >>> phase.summary()["p99_ms"]
    """

    name: str
    seconds: float = 0.0
    good_s: list[float] = field(default_factory=list)
    good_failed: list[str] = field(default_factory=list)
    bad_sent: int = 0
    bad_wrong: list[str] = field(default_factory=list)
    rss: list[tuple[float, int]] = field(default_factory=list)

    def summary(self) -> dict:
        """As written to the JSON file.

        rss_first and rss_last are medians of the first and the last quarter.
        """
        quarter = max(len(self.rss) // 4, 1)
        times = sorted(self.good_s)
        first, last = (
            [size for _, size in part] for part in (self.rss[:quarter], self.rss[-quarter:])
        )
        return {
            "phase": self.name,
            "seconds": round(self.seconds, 2),
            "good": len(times),
            "good_failed": len(self.good_failed),
            "bad_sent": self.bad_sent,
            "bad_wrong": len(self.bad_wrong),
            "problems": (self.good_failed + self.bad_wrong)[:10],
            "requests_per_s": round((len(times) + self.bad_sent) / self.seconds, 2),
            "good_per_s": round(len(times) / self.seconds, 2),
            "p50_ms": round(1000 * statistics.median(times), 1) if times else None,
            "p99_ms": round(1000 * times[int(0.99 * (len(times) - 1))], 1) if times else None,
            "rss_first_mb": round(statistics.median(first) / 1e6, 1) if first else None,
            "rss_last_mb": round(statistics.median(last) / 1e6, 1) if last else None,
            "rss_mb": [[round(at, 1), round(size / 1e6, 1)] for at, size in self.rss],
        }


def is_good(status: int, answer: bytes, size_px: int) -> bool:
    """Whether an answer holds a PNG of the right size."""
    try:
        data = base64.b64decode(json.loads(answer)["predictions"][0]["b64"])
        return status == 200 and struct.unpack(">II", data[16:24]) == (size_px, size_px)
    except (ValueError, KeyError, TypeError, struct.error):
        return False


Good = tuple[bytes, Callable[[int, bytes], bool]]
"""A body, and whether a status and an answer are right for it."""
Hostile = Callable[[random.Random, http.client.HTTPConnection], "str | None"]
"""Does something bad, perhaps on the connection given; returns what was wrong with the answer."""


def post(connection: http.client.HTTPConnection, path: str, body: bytes) -> tuple[int, bytes]:
    """Status and answer; 0 and the error where the connection failed, which is closed then."""
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()  # opened again by the next request
        return 0, repr(error).encode()


def post_bad(path: str, data: bytes) -> Hostile:
    """A bad request on the same connection as good ones."""
    bodies = bad_bodies(data)

    def ask(rng: random.Random, connection: http.client.HTTPConnection) -> str | None:
        status, answer = post(connection, path, rng.choice(bodies))
        return None if 400 <= status < 500 else f"{status}: {answer[:200]!r}"

    return ask


def run_phase(
    server: Server,
    path: str,
    arguments: argparse.Namespace,
    good: Sequence[Good],
    bad_share: float,
    hostile: Hostile,
) -> Phase:
    """Ask on all connections for the given time.

    Args:
      server: which is ready.
      path: of the model's requests.
      arguments: `connections` and `seconds` of the command line.
      good: requests, of which any is sent.
      bad_share: share of requests that are hostile.
      hostile: what is done then.
    """
    phase, lock = Phase(f"{bad_share:.0%} bad" if bad_share else "good only"), threading.Lock()
    started = time.monotonic()
    end = started + arguments.seconds

    def ask_on(number: int) -> None:
        rng, connection = random.Random(number), server.connect()
        while time.monotonic() < end:
            if rng.random() < bad_share:
                problem = hostile(rng, connection)
                with lock:
                    phase.bad_sent += 1
                    phase.bad_wrong += [problem] if problem else []
                continue
            body, is_right = rng.choice(good)
            begun = time.monotonic()
            status, answer = post(connection, path, body)
            took = time.monotonic() - begun
            right = is_right(status, answer)
            with lock:
                phase.good_s += [took] if right else []
                phase.good_failed += [] if right else [f"{status}: {answer[:200]!r}"]
        connection.close()

    threads = [
        threading.Thread(target=ask_on, args=(number,)) for number in range(arguments.connections)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        phase.rss.append((time.monotonic() - started, server.resident_bytes()))
        time.sleep(SAMPLE_SECONDS)
    phase.seconds = time.monotonic() - started
    return phase


def forward_s(model_folder: Path, data: bytes, seconds: float) -> float:
    """Median seconds of the signature that takes files, asked in this process for so long."""
    import tensorflow as tf

    call = tf.saved_model.load(str(model_folder)).signatures["image_bytes"]
    image_bytes, times = tf.constant([data]), list[float]()
    call(image_bytes=image_bytes), call(image_bytes=image_bytes)
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(times) < 5:
        begun = time.monotonic()
        call(image_bytes=image_bytes)["translated_bytes"].numpy()
        times.append(time.monotonic() - begun)
    return statistics.median(times)


def bare_forward_s(model_folder: Path, data: bytes) -> float:
    """The same in a process without a server."""
    with tempfile.TemporaryDirectory() as folder:
        image_file = Path(folder, "image")
        image_file.write_bytes(data)
        code = (
            "from pathlib import Path; from benchmarks.deploy.serve_load import forward_s; "
            f"print(forward_s(Path({str(model_folder)!r}), Path({str(image_file)!r}).read_bytes(), "
            f"{BARE_SECONDS}))"
        )
        return float(output_of(code))


def output_of(code: str) -> str:
    """What a process of Python prints."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1"}
    words = [sys.executable, "-c", code]
    return subprocess.run(
        words, stdout=subprocess.PIPE, text=True, check=True, env=environment
    ).stdout


def table(results: dict) -> str:
    """Lines of text, one for each phase."""
    bare = results["bare_forward_ms"]
    lines = [
        f"{results['model']}, {results['size_px']} px, {results['connections']} connections; "
        f"TensorFlow alone: {bare:.1f} ms an image",
        f"{'phase':<10} {'good':>6} {'failed':>6} {'bad':>6} {'not 4xx':>7} {'good/s':>7} "
        f"{'of bare':>7} {'p50 ms':>8} {'p99 ms':>8} {'RSS MB, first and last quarter':>31}",
    ]
    for phase in results["phases"]:
        lines.append(
            f"{phase['phase']:<10} {phase['good']:>6} {phase['good_failed']:>6} "
            f"{phase['bad_sent']:>6} {phase['bad_wrong']:>7} {phase['good_per_s']:>7.2f} "
            f"{phase['good_per_s'] * bare / 1000:>7.2f} {phase['p50_ms'] or 0:>8.1f} "
            f"{phase['p99_ms'] or 0:>8.1f} {phase['rss_first_mb']:>19.1f} -> "
            f"{phase['rss_last_mb']:>8.1f}"
        )
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Loads the server, prints a table, writes the JSON file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("export", metavar="OUT", type=Path, help="an export folder")
    parser.add_argument("--model", help="the first by default")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each phase (%(default)g)")
    parser.add_argument("--size_px", type=int, default=256, help="side of the image (%(default)d)")
    parser.add_argument("--out", type=Path, default=Path("runs/serve_load.json"))
    arguments = parser.parse_args(argv)
    data, server = image(arguments.size_px), Server(arguments.export)
    try:
        model = arguments.model or server.wait_until_ready()[0]
        server.wait_until_ready()
        path = f"/v1/models/{model}:predict"
        good = [(body_of(data), functools.partial(is_good, size_px=arguments.size_px))]
        bad = post_bad(path, data)
        phases = [
            run_phase(server, path, arguments, good, share, bad) for share in (0.0, BAD_SHARE)
        ]
        exit_status = server.stop()
    finally:
        if server.process.poll() is None:
            server.process.kill()
    results = {
        "model": model,
        "size_px": arguments.size_px,
        "connections": arguments.connections,
        "server_exit_status": exit_status,
        "bare_forward_ms": 1000 * bare_forward_s(newest_folder(arguments.export, model), data),
        "phases": [phase.summary() for phase in phases],
    }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))
    print(f"written: {arguments.out}")
    wrong = any(phase.good_failed or phase.bad_wrong for phase in phases) or exit_status != 0
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
