"""`python -m cyclegan_tf.translate_beam`: translates millions of images with Apache Beam."""

from __future__ import annotations

import difflib
import importlib.util
import logging
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cyclegan_tf import cli
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError, install_command
from cyclegan_tf.translate_beam import local

log = logging.getLogger(__name__)

# Beam's own choice tries a program that it would fetch from the network first.
_LOCAL_RUNNER = "FnApiRunner"
# Options that are positional now; accepted, and not shown by --help.
_FORMER = ("--model", "--input", "--output")
# Beam puts an exception of a step into the text of its own, and the step behind it.
_RAISED = re.compile(r".*\b(UserError|ModelError): (.*)", re.DOTALL)
_STEP = re.compile(r"\s*\[while running .*", re.DOTALL)


_COMMON = ("--dead_letters", "--batch_size", "--overwrite")


def build_parser() -> cli.Parser:
    """Declare the command's own options; all others go to Beam."""
    parser = cli.Parser(
        command="translate_beam",
        most_used=_COMMON,
        example="shipped/saved_model/mine_xy 'images/**' out",
        description="Translates all images that patterns match with an exported SavedModel, on "
        "this machine or, by Beam's options (--runner FlinkRunner ...), on many. Outputs that "
        "exist are skipped, so a job that was stopped is simply started again. Images that fail "
        "are listed and the exit status is then 1.",
        epilog="All other options, as --runner, --direct_num_workers or --flink_master, are "
        "Beam's.",
    )
    parser.add_argument(
        "model", type=str, help="Folder of a SavedModel, or of its versions: then the newest."
    )
    parser.add_argument(
        "input",
        type=str,
        nargs="+",
        help="Patterns of images, quoted: * within a folder, ** across folders.",
    )
    parser.add_argument(
        "output",
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
    parser.add_argument(
        "--size",
        choices=["auto", "full"],
        default="auto",
        help="auto: the network sees images as large as in training, and results are brought back "
        "to the input's size with the input's detail. full: it sees every pixel.",
    )
    parser.add_argument("--overwrite", action="store_true", help="Replace outputs that exist.")
    cli.add_trust_option(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Translate; return 0, or 1 when some images could not be."""
    own, for_beam = split(argv)
    arguments = build_parser().parse(own)
    cli.log_to_terminal()
    if arguments.batch_size < 1:
        raise UserError(
            f"--batch_size must be 1 or more, and is {arguments.batch_size}.", field="--batch_size"
        )
    require()
    local.check_local(arguments.model, arguments.input)
    # What Beam logs is about its own insides, or comes out of the job as an exception as well.
    logging.getLogger().setLevel(logging.CRITICAL)
    with suppress_startup_logs():
        from cyclegan_tf.translate_beam import files, models, steps
    options = _beam_options(for_beam)
    output = _absolute(arguments.output)
    dead_letters = _absolute(arguments.dead_letters or f"{output}/dead_letters.jsonl")
    model, channels = models.find_model(_absolute(arguments.model), arguments.trust)
    patterns = [_absolute(pattern) for pattern in arguments.input]
    _check_patterns(patterns)
    try:
        with files.partial_folder(output) as partial:
            counts = _run(
                options, model, channels, patterns, output, partial, dead_letters, arguments
            )
    except Exception as error:
        original = _original(error)
        if original is error:
            raise
        raise original from error
    log.info(", ".join(f"{count} {name}" for name, count in counts.items()))
    if counts[steps.FAILED]:
        log.info("failures are listed in %s", dead_letters)
    return 1 if counts[steps.FAILED] else 0


def require() -> None:
    """Check that Apache Beam is installed.

    Raises:
      UserError: it is not.
    """
    if importlib.util.find_spec("apache_beam") is None:
        raise UserError(
            f"Translating with Apache Beam needs it: {install_command('beam')}",
            code="dependency",
            field="apache_beam",
        )


def split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split a command line into our words, positional ones last, and Beam's.

    Raises:
      UserError: MODEL, INPUT or OUTPUT is missing, or what looks like one of our options mistyped.
    """
    names = [*build_parser().option_names(), *_FORMER]
    places: list[str] = []
    former: dict[str, list[str]] = {name: [] for name in _FORMER}
    own: list[str] = []
    beam: list[str] = []
    taking = places
    before = cli.options_of(argv)
    for word in before:
        if not word.startswith("-"):
            taking.append(word)
            taking = places
            continue
        name, equals, value = word.partition("=")
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.8)
        if name in former:
            taking = former[name]
            word = value
        elif name in [*names, "--help", "-h"]:
            taking = own
        elif close:
            raise UserError(
                f"unknown option {name}; did you mean {close[0]}?", code="unknown", field=name
            )
        else:
            taking = beam
        if name not in former or equals:
            taking.append(word)
        if equals or name in ("--overwrite", "--trust"):
            taking = places
    places += argv[len(before) + 1 :]
    if "--help" in own or "-h" in own:
        return own, beam
    return [*own, "--", *_places(places, former)], beam


def _places(places: list[str], former: Mapping[str, list[str]]) -> list[str]:
    """Put MODEL, INPUT and OUTPUT in order, also where their former options are used."""
    if any(former.values()):
        if places:
            raise UserError(
                f"{places[0]!r} belongs to no option; a pattern of images goes after --input, in "
                "quotes.",
                code="unknown",
                field=places[0],
            )
        for name, values in former.items():
            if not values:
                raise UserError(f"{name} is missing; see --help.", code="missing", field=name)
        return [former["--model"][-1], *former["--input"], former["--output"][-1]]
    if len(places) < 3:
        name = ("MODEL", "INPUT", "OUTPUT")[len(places)]
        raise UserError(f"{name} is missing; see --help.", code="missing", field=name)
    return places


def _beam_options(words: Sequence[str]) -> Any:
    """Parse Beam's options.

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
            f"Beam's options {' '.join(words)} cannot be read; see the line above.",
            field="Beam's options",
        ) from error
    except ValueError as error:
        known = ", ".join(StandardOptions.KNOWN_RUNNER_NAMES)
        raise UserError(
            f"--runner {runner} is not known to Beam, which has {known}.",
            code="unknown",
            field="--runner",
        ) from error
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
                f"unknown option {name}: it is neither ours (see --help) nor one of Beam's.",
                code="unknown",
                field=name,
            )


def _absolute(path: str) -> str:
    """Make a path of this machine absolute; others stay as they are."""
    from cyclegan_tf.translate_beam.files import is_local

    if not is_local(path):
        return path.rstrip("/") or path
    return os.path.abspath(os.path.expanduser(path))


def _check_patterns(patterns: Sequence[str]) -> None:
    from apache_beam.io.filesystems import FileSystems

    from cyclegan_tf.translate_beam import files

    for pattern in patterns:
        files.refuse_unreadable_folders(pattern)
        (found,) = FileSystems.match([pattern], limits=[1])
        if not found.metadata_list:
            raise local.no_match(pattern)


def _run(
    options: Any,
    model: str,
    channels: int,
    patterns: list[str],
    output: str,
    partial: str,
    dead_letters: str,
    arguments: Any,
) -> dict[str, int]:
    """Run the job to its end; count the images translated, skipped and failed."""
    import apache_beam as beam
    from apache_beam.ml.inference.base import RunInference

    from cyclegan_tf.translate_beam import steps

    handler = steps.SavedModelHandler(model, arguments.batch_size, arguments.size == "full")
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
        | "Translate" >> RunInference(handler)
        | "Write" >> beam.ParDo(steps.Write(partial)).with_outputs(steps.FAILURES, main="main")
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


def _original(error: Exception) -> BaseException:
    """Find the exception that a step raised in what Beam made of it."""
    if str(error).startswith("KeyboardInterrupt"):
        return KeyboardInterrupt()
    raised = _RAISED.fullmatch(f"{type(error).__name__}: {error}")
    if not raised:
        return error
    text = _STEP.sub("", raised[2]).strip()
    if raised[1] == "ModelError":
        return UserError(text, code="unreadable", field="MODEL")
    # Steps raise it for nothing but files that cannot be written.
    return UserError(text, code="unwritable", field="OUTPUT")
