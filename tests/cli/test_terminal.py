"""What a command prints, and with which status it ends."""

import io
import logging
import sys

import pytest

from cyclegan_tf import cli
from cyclegan_tf.errors import UserError


def test_run_turns_a_user_error_into_status_2(capsys):
    def fail(_):
        raise UserError("the bowl is empty; fill it.")

    with pytest.raises(SystemExit) as caught:
        cli.run(fail, [])
    assert caught.value.code == 2
    assert capsys.readouterr().err == "error: the bowl is empty; fill it.\n"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1"])
def test_names_are_printed_whatever_the_terminals_encoding(monkeypatch, encoding):
    streams = {
        name: io.TextIOWrapper(io.BytesIO(), encoding=encoding) for name in ("stdout", "stderr")
    }
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)

    def act(_):
        cli.log_to_terminal()
        for text in ("caf\udce9", "\u5b57"):
            print(text)
            logging.getLogger("cyclegan_tf.cli").info(text)
            logging.getLogger("cyclegan_tf.cli").warning(text)
        raise UserError("caf\udce9")

    with pytest.raises(SystemExit) as caught:
        cli.run(act, [])
    assert caught.value.code == 2
    for stream in streams.values():
        stream.flush()
        printed = stream.buffer.getvalue().decode(encoding)
        assert printed.count("caf\\udce9") == 2
        assert printed.count("\u5b57" if encoding == "utf-8" else "\\u5b57") >= 1


def test_run_turns_a_full_disk_into_status_2(capsys):
    def fail(_):
        raise OSError(28, "No space left on device", "runs/mine/metrics.jsonl")

    with pytest.raises(SystemExit) as caught:
        cli.run(fail, [])
    assert caught.value.code == 2
    assert capsys.readouterr().err == "error: No space left on device (runs/mine/metrics.jsonl).\n"


def test_run_ends_quietly_when_nobody_reads(capsys):
    def fail(_):
        raise BrokenPipeError

    with pytest.raises(SystemExit) as caught, capsys.disabled():
        cli.run(fail, [])
    assert caught.value.code == 141


def test_run_lets_other_errors_be_seen():
    def fail(_):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        cli.run(fail, [])


def test_log_lines_come_once(capsys):
    """Also where a library has given the root logger a handler, as `logging.info` does."""
    everywhere = logging.StreamHandler()
    logging.getLogger().addHandler(everywhere)
    try:
        cli.log_to_terminal()
        logging.getLogger("cyclegan_tf.export").info("written")
        logging.getLogger("cyclegan_tf.export").warning("too far off")
    finally:
        logging.getLogger().removeHandler(everywhere)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("written\n", "warning: too far off\n")
