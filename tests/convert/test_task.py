"""What is asked for, and what is logged of it."""

import logging
from pathlib import Path

from jsonargparse import Namespace

from cyclegan_tf.convert.task import Task, log_notes


def task(*argv, target="new.keras"):
    return Task(Path("old.pth"), Path(target), Namespace(), argv)


def test_options_count_as_given_in_either_spelling():
    assert task("--data.source", "a").is_given("--data.source")
    assert task("--data.source=a").is_given("--data.x_dir", "--data.source")
    assert not task("--data.source_x=a").is_given("--data.source")


def test_commands_can_be_pasted_into_a_shell():
    one = task(target="my networks/g.keras")
    assert one.translate_command("--direction xy") == (
        "python -m cyclegan_tf.translate 'my networks/g.keras' INPUT OUTPUT --direction xy"
    )
    assert one.fine_tune_command("--loss.cycle_x 8") == (
        "python -m cyclegan_tf.train --init_from 'my networks/g.keras' --data.source IMAGES "
        "--loss.cycle_x 8"
    )


def test_lines_begin_with_what_they_are_about_and_notes_come_once(caplog):
    caplog.set_level(logging.INFO, "cyclegan_tf")
    log_notes(["one", "two", "one"])
    task().log_written("translate it")
    assert caplog.messages == [
        "note        one",
        "note        two",
        "written     new.keras",
        "next        translate it",
    ]
