"""Processes that begin with TensorFlow imported, forked from one that waits.

Importing TensorFlow takes seven seconds of a processor, and the tests start some thirty processes
that have nothing to prove about it. Each is a process of its own, with its own environment, output,
signals and exit status; it runs a module as `python -m MODULE` does. Where a start from nothing is
what a test is about, it uses `subprocess`.
"""

from __future__ import annotations

import atexit
import functools
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.helpers import quicker

ROOT = Path(__file__).parents[2]


class Process:
    """A forked process, with what `subprocess.Popen` has of it.

    Args:
      module: run as `python -m MODULE`; or "-c" for the code in `words`.
      words: its arguments.
      stdout: file descriptor for standard output and standard error.
      env: its whole environment.
      cwd: where it runs; here when not given.
    """

    def __init__(self, module, words, stdout, env=None, cwd=None):
        self.returncode = self.stdout = None
        self._status, theirs = os.pipe()
        job = {
            "module": module,
            "words": list(map(str, words)),
            "env": dict(os.environ if env is None else env),
            "cwd": str(cwd or Path.cwd()),
        }
        connection = _waiting_process()
        socket.send_fds(connection, [json.dumps(job).encode()], [stdout, theirs])
        os.close(theirs)
        self.pid = int(self._line(None))

    def _line(self, timeout):
        """The next line of the status pipe; None if none comes in time."""
        if not select.select([self._status], [], [], timeout)[0]:
            return None
        return os.read(self._status, 64).decode()

    def poll(self):
        """The exit status, negative for a signal; None while it runs."""
        if self.returncode is None and (line := self._line(0)) is not None:
            self.returncode = int(line)
            os.close(self._status)
        return self.returncode

    def wait(self, timeout=None):
        """Waits for the exit status."""
        if self.returncode is None:
            if (line := self._line(timeout)) is None:
                raise subprocess.TimeoutExpired("a preloaded process", timeout or 0)
            self.returncode = int(line)
            os.close(self._status)
        return self.returncode

    def send_signal(self, number):
        """Sends a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self):
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


def popen(command):
    """`subprocess.Popen` of `python -m MODULE WORDS`, with its errors in `stdout`, as text."""
    assert command[:2] == [sys.executable, "-m"]
    ours, theirs = os.pipe()
    process = Process(command[2], command[3:], theirs)
    os.close(theirs)
    process.stdout = os.fdopen(ours, errors="replace")
    return process


def run_code(code, folder, timeout=100):
    """Runs Python code as `python -c CODE`; returns its exit status and its output.

    Args:
      code: Python.
      folder: for a file of the output.
      timeout: seconds.
    """
    with (folder / "output").open("w+") as file:
        process = Process("-c", [code], file.fileno())
        try:
            status = process.wait(timeout)
        finally:
            process.kill()
        return status, (folder / "output").read_text()


@functools.cache
def _waiting_process():
    """The connection to the process that forks; one for each worker of the tests."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # One thread: a process that forks must have no other.
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    known = {**os.environ, **one, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    known["TF_ENABLE_ONEDNN_OPTS"] = "1"
    command = [sys.executable, "-m", "tests.helpers.preloaded", str(theirs.fileno())]
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=ROOT, env=known)
    theirs.close()

    def end():
        ours.close()
        process.wait(10)

    atexit.register(end)
    return ours


def _serve(connection):
    """Forks for each message; returns the job in each child, and None when the tests are over."""
    running: dict[int, int] = {}
    while True:
        _reap(running)
        if not select.select([connection], [], [], 0.02)[0]:
            continue
        message, fds, _, _ = socket.recv_fds(connection, 1 << 20, 2)
        if not message:
            return None
        output, status_fd = fds
        if json.loads(message)["module"] == "cyclegan_tf.serve":
            _import_what_serve_needs()
        pid = os.fork()
        if pid == 0:
            connection.close()
            for other in running.values():
                os.close(other)
            os.close(status_fd)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.close(output)
            return json.loads(message)
        os.close(output)
        os.write(status_fd, f"{pid}\n".encode())
        running[pid] = status_fd


def _import_what_serve_needs():
    """Once for all servers; only here, since most tests start none."""
    import fastapi  # noqa: F401
    import prometheus_client  # noqa: F401
    import uvicorn.protocols.http.h11_impl  # noqa: F401


def _reap(running):
    """Tells the exit status of each child that has ended."""
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        status_fd = running.pop(pid)
        os.write(status_fd, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os.close(status_fd)


def _become(job):
    """Runs the job's module in this process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(job["env"])
    time.tzset()
    os.chdir(job["cwd"])
    sys.argv[1:] = job["words"]
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    if job["module"] == "-c":
        exec(job["words"][0], {"__name__": "__main__"})
    else:
        runpy.run_module(job["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests
    quicker.install()
    import keras  # noqa: F401
    import tensorflow  # noqa: F401

    gc.freeze()  # what all share is never garbage
    todo = _serve(socket.socket(fileno=int(sys.argv[1])))
    if todo is not None:
        _become(todo)
