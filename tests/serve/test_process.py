"""Sockets and logs; signals and the end are tested with real processes in test_command.py."""

import asyncio
import logging
import socket

import pytest

from cyclegan_tf.serve import process
from tests.helpers.errors import refused


def test_port_0_takes_a_free_one():
    with process.listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        assert process.url_of(listening) == f"http://127.0.0.1:{port}"
        socket.create_connection(("127.0.0.1", port), 5).close()
        with refused(
            "in_use", "--port", match=f"cannot listen on port {port} of 127.0.0.1"
        ) as caught:
            process.listen("127.0.0.1", port)
        assert (caught.value.code, caught.value.field) == ("in_use", "--port")


def test_addresses_that_cannot_be():
    for host in ("no such host.invalid", "203.0.113.1"):
        with refused("in_use", "--port") as caught:
            process.listen(host, 0)
        assert (caught.value.code, caught.value.field) == ("in_use", "--port")


@pytest.mark.parametrize(
    ("verbose", "wanted"), [(False, ["loaded"]), (True, ["loaded", "request"])]
)
def test_log_lines_go_to_standard_output(capsys, verbose, wanted):
    loggers = [logging.getLogger(name) for name in ("cyclegan_tf.serve", "uvicorn.error")]
    kept = [(logger.handlers, logger.propagate, logger.level) for logger in loggers]
    try:
        process.log_to_stdout(verbose)
        log = logging.getLogger("cyclegan_tf.serve.anything")
        log.info("loaded")
        log.debug("request")
    finally:
        for logger, (handlers, propagate, level) in zip(loggers, kept, strict=True):
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == wanted


def test_accepting_in_vain_is_logged_once(caplog):
    log, failed = process._LogOnce(), OSError(24, "Too many open files")
    loop = asyncio.new_event_loop()
    for _ in range(1000):
        log(loop, {"message": "socket.accept()", "exception": failed, "socket": None})
    assert caplog.messages == ["no connection can be taken in: [Errno 24] Too many open files"]
    log(loop, {"message": "something else", "exception": ValueError("a")})
    assert "something else" in caplog.messages[1]
    loop.close()
