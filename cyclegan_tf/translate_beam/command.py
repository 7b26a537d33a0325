"""`python -m cyclegan_tf.translate_beam`: millions of images through an exported model, with Apache
Beam."""

from __future__ import annotations

import difflib
import importlib.util
import logging
import os
import re
from collections.abc import Sequence
from typing import Any

from cyclegan_tf import cli
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError

# Beam's own choice tries a program that it would fetch from the network first.
_LOCAL_RUNNER = "FnApiRunner"
_STEP = re.compile(r"\s*\[while running .*", re.DOTALL)


def build_parser() -> cli.Parser:
    """The command's own options; all others go to Beam."""
    parser = cli.Parser(
        prog="python -m cyclegan_tf.translate_beam",
        description="Translates all images that patterns match with an exported SavedModel, on "
        "this machine or, by Beam's options (--runner FlinkRunner ...), on many. Outputs that "
        "exist are skipped, so a job that was stopped is simply started again. Images that fail "
        "are listed and the exit status is then 1.",
        epilog="All other options, as --runner, --direct_num_workers or --flink_master, are "
        "Beam's.",
    )
    parser.add_argument(
        "--model", type=str, help="Folder of a SavedModel, or of its versions: then the newest."
    )
    parser.add_argument(
        "--input",
        type=str,
        action="append",
        help="Pattern of images, quoted: * within a folder, ** across folders; may be given "
        "several times.",
    )
    parser.add_argument(
        "--output",
        type=str,
        help="Folder; names in it are relative to the pattern's part before the first wildcard.",
    )
    parser.add_argument(
        "--dead_letters",
        type=str,
        default=None,
        help="File to list failures in, as JSON lines of path and reason; "
        "OUTPUT/dead_letters.jsonl by default.",
    )
    parser.add_argument(
        "--batch_size", type=int, default=8, help="Images translated in one call at most."
    )
    parser.add_argument("--overwrite", action="store_true", help="Replace outputs that exist.")
    return parser


def main(argv: Sequence[str]) -> int:
    """Translates; returns 0, or 1 when some images could not be."""
    own, for_beam = split(argv)
    arguments = build_parser().parse(own)
    for name in ("model", "input", "output"):
        if not getattr(arguments, name):
            raise UserError(f"--{name} is missing; see --help.")
    if arguments.batch_size < 1:
        raise UserError(f"--batch_size must be 1 or more, and is {arguments.batch_size}.")
    require()
    # What Beam tells is about its own insides, or comes out of the job as an exception as well.
    logging.getLogger().setLevel(logging.CRITICAL)
    with suppress_startup_logs():
        from cyclegan_tf.translate_beam import steps as beam_steps
    options = _beam_options(for_beam)
    output = _absolute(arguments.output)
    dead_letters = _absolute(arguments.dead_letters or f"{output}/dead_letters.jsonl")
    model, channels = _model(_absolute(arguments.model))
    patterns = [_absolute(pattern) for pattern in arguments.input]
    _refuse_empty(patterns)
    try:
        beam_steps.remove_partial_files(output)
        counts = _run(options, model, channels, patterns, output, dead_letters, arguments)
    except Exception as error:
        if str(error).startswith("KeyboardInterrupt"):
            raise KeyboardInterrupt from error
        told = _user_error(error)
        if told is None:
            raise
        raise told from error
    finally:
        beam_steps.remove_partial_files(output)
    print(", ".join(f"{count} {name}" for name, count in counts.items()), flush=True)
    if counts[beam_steps.FAILED]:
        print(f"failures are listed in {dead_letters}", flush=True)
    return 1 if counts[beam_steps.FAILED] else 0


def require() -> None:
    """Checks that Apache Beam is there.

    Raises:
      UserError: it is not.
    """
    if importlib.util.find_spec("apache_beam") is None:
        raise UserError('Translating with Apache Beam needs it: pip install "cyclegan-tf[beam]"')


def split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """A command line as our options and Beam's.

    Raises:
      UserError: a word that belongs to no option, or what looks like one of ours mistyped.
    """
    names = build_parser().option_names()
    own: list[str] = []
    other: list[str] = []
    taking: list[str] | None = None
    for word in argv:
        if word.startswith("-"):
            name, equals, _ = word.partition("=")
            is_own = name in [*names, "--help", "-h"]
            close = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
            if not is_own and close:
                raise UserError(f"unknown option {name}; did you mean {close[0]}?")
            taking = own if is_own else other
            taking.append(word)
            if equals or name == "--overwrite":
                taking = None
        elif taking is None:
            raise UserError(
                f"{word!r} belongs to no option; a pattern of images goes after --input, in quotes."
            )
        else:
            taking.append(word)
            taking = None
    return own, other


def _beam_options(words: Sequence[str]) -> Any:
    """Beam's options.

    Raises:
      UserError: Beam refuses one, or nothing knows one that is for this machine only.
    """
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
    from apache_beam.runners.runner import create_runner

    words = list(words)
    if not any(word.split("=")[0] == "--runner" for word in words):
        words.append(f"--runner={_LOCAL_RUNNER}")
    options = PipelineOptions(words)
    try:
        runner = options.view_as(StandardOptions).runner
        create_runner(runner)
    except SystemExit as error:  # argparse has printed why
        raise UserError(
            f"Beam's options {' '.join(words)} cannot be read; see the line above."
        ) from error
    except ValueError as error:
        known = ", ".join(StandardOptions.KNOWN_RUNNER_NAMES)
        raise UserError(f"--runner {runner} is not known to Beam, which has {known}.") from error
    if runner in StandardOptions.LOCAL_RUNNERS:
        _refuse_unknown(words, options)
    return options


def _refuse_unknown(words: Sequence[str], options: Any) -> None:
    known = set(options.get_all_options())
    for word in words:
        name = word.split("=")[0]
        if (
            name.startswith("--")
            and name.removeprefix("--") not in known
            and not name.startswith("--no_")
        ):
            raise UserError(
                f"unknown option {name}: it is neither ours (see --help) nor one of Beam's."
            )


def _absolute(path: str) -> str:
    """The path as it is for other machines, whole where it is of this one."""
    from cyclegan_tf.translate_beam.steps import is_local

    if not is_local(path):
        return path.rstrip("/") or path
    return os.path.abspath(os.path.expanduser(path))


def _model(folder: str) -> tuple[str, int]:
    """The version of the model that is taken, and the channels it takes.

    Raises:
      UserError: it is no exported SavedModel.
    """
    from apache_beam.io.filesystems import FileSystems
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    from cyclegan_tf.translate_beam.steps import INPUT, SIGNATURE

    if not FileSystems.exists(f"{folder}/saved_model.pb"):
        (found,) = FileSystems.match([f"{folder}/*/saved_model.pb"])
        versions = {os.path.basename(os.path.dirname(file.path)) for file in found.metadata_list}
        numbers = [int(version) for version in versions if version.isdecimal()]
        if not numbers:
            raise UserError(
                f"{folder} holds no SavedModel; give the folder that `python -m cyclegan_tf.export "
                "--format saved_model` wrote, which holds saved_model.pb or versions that do."
            )
        folder = f"{folder}/{max(numbers)}"
    message = saved_model_pb2.SavedModel()
    try:
        with FileSystems.open(f"{folder}/saved_model.pb") as stream:
            message.ParseFromString(stream.read())
        return folder, message.meta_graphs[0].signature_def[SIGNATURE].inputs[
            INPUT
        ].tensor_shape.dim[3].size
    except (DecodeError, IndexError) as error:
        raise UserError(
            f"{folder} is damaged, or no SavedModel of a generator that takes {INPUT!r}; export "
            f"it again."
        ) from error


def _refuse_empty(patterns: Sequence[str]) -> None:
    from apache_beam.io.filesystems import FileSystems

    for pattern in patterns:
        (found,) = FileSystems.match([pattern], limits=[1])
        if not found.metadata_list:
            raise UserError(
                f"--input {pattern} matches no file; put the pattern in quotes, and check its "
                f"folder."
            )


def _run(
    options: Any,
    model: str,
    channels: int,
    patterns: list[str],
    output: str,
    dead_letters: str,
    arguments: Any,
) -> dict[str, int]:
    """Runs the job to its end; how many images were translated, skipped and failed."""
    import apache_beam as beam
    from apache_beam.ml.inference.base import RunInference

    from cyclegan_tf.translate_beam import steps

    pipeline = beam.Pipeline(options=options)
    chosen = (
        pipeline
        | "Patterns" >> beam.Create(patterns)
        | "Find" >> beam.ParDo(steps.Find(output))
        # Names only: it also spreads the work over the workers.
        | "OfOneTarget" >> beam.GroupByKey()
        | "Choose"
        >> beam.ParDo(steps.ChooseSource(arguments.overwrite)).with_outputs(
            steps.FAILURES, main="main"
        )
    )
    read = chosen.main | "Read" >> beam.ParDo(steps.Read(channels)).with_outputs(
        steps.FAILURES, main="main"
    )
    written = (
        read.main
        | "Translate" >> RunInference(steps.SavedModelHandler(model, arguments.batch_size))
        | "Write" >> beam.ParDo(steps.Write(output)).with_outputs(steps.FAILURES, main="main")
    )
    _ = (
        (chosen[steps.FAILURES], read[steps.FAILURES], written[steps.FAILURES])
        | "Failures" >> beam.Flatten()
        | "AllFailures" >> beam.combiners.ToList()
        | "DeadLetters" >> beam.ParDo(steps.WriteDeadLetters(dead_letters))
    )
    result = pipeline.run()
    result.wait_until_finish()
    counts = {steps.TRANSLATED: 0, steps.SKIPPED: 0, steps.FAILED: 0}
    for counter in result.metrics().query()["counters"]:
        if counter.key.metric.namespace == steps.NAMESPACE and counter.key.metric.name in counts:
            counts[counter.key.metric.name] += counter.result
    return counts


def _user_error(error: Exception) -> UserError | None:
    """The sentence that a step meant for people, out of what Beam made of it."""
    _, marker, text = f"{type(error).__name__}: {error}".rpartition("UserError: ")
    return UserError(_STEP.sub("", text).strip()) if marker else None
