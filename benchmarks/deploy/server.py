"""The server as a process on 127.0.0.1, for programs that ask it."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path


def start(words: list[str]) -> subprocess.Popen[str]:
    """Start a process whose output and errors are one stream of text."""
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )


class Server:
    """The server's process.

    Example:
      >>> server = Server(Path("shipped"))
      >>> models = server.wait_until_ready()
      >>> server.stop()
    """

    def __init__(self, out: Path, *options: str) -> None:
        words = [sys.executable, "-m", "cyclegan_tf.serve", str(out), "--port", "0", *options]
        self.lines: list[str] = []
        """What it wrote, to standard error as well."""
        self.process = start(words)
        assert self.process.stdout is not None
        self._output = self.process.stdout
        for line in self._output:
            self.lines.append(line)
            if found := re.search(r"listening on http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                break
        else:
            raise SystemExit(f"the server did not start: {''.join(self.lines)}")
        # Unread, its lines would fill the pipe and stop it.
        self._reader = threading.Thread(target=self.lines.extend, args=[self._output], daemon=True)
        self._reader.start()

    def connect(self) -> http.client.HTTPConnection:
        """A new connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def get(self, path: str) -> tuple[int, dict]:
        """Status and JSON of an address."""
        connection = self.connect()
        connection.request("GET", path)
        response = connection.getresponse()
        answer = response.status, json.load(response)
        connection.close()
        return answer

    def wait_until_ready(self) -> list[str]:
        """Names of the models, once all are loaded."""
        for _ in range(1200):
            status, answer = self.get("/health")
            if status == 200:
                return list(answer["models"])
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        self.process.kill()
        raise SystemExit("the server did not become ready")

    def resident_bytes(self) -> int:
        """Its memory, from /proc."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(re.search(r"VmRSS:\s+(\d+) kB", status)[1])  # type: ignore[index]

    def stop(self) -> int:
        """Its exit status after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        self._reader.join()
        self._output.close()
        return status


def newest_folder(out: Path, model: str) -> Path:
    """The folder of the version that the server serves."""
    base = out / "saved_model" if (out / "saved_model").is_dir() else out
    return max(
        (path for path in (base / model).iterdir() if path.name.isdecimal()),
        key=lambda path: int(path.name),
    )
