"""`python -m cyclegan_tf.evaluate RUN`: scores a trained generator and writes a report."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from jsonargparse import Namespace

from cyclegan_tf import cli
from cyclegan_tf.atomic import atomic_file
from cyclegan_tf.config.loss import RANGES
from cyclegan_tf.data.layout import check_source, check_two_folders, require_folder
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError
from cyclegan_tf.features.catalog import OFFLINE, check_offline
from cyclegan_tf.foreign.paths import meant
from cyclegan_tf.metrics.segmentation import read_palette
from cyclegan_tf.runs.targets import check_target

log = logging.getLogger(__name__)

_FORMER = {
    "--count": "--max_images",
    "--paired": "--require_pairs",
    "--source": "--data.source",
    "--x_dir": "--data.x_dir",
    "--y_dir": "--data.y_dir",
}


_COMMON = ("--direction", "--data.source", "--max_images", "--overwrite")


def build_parser() -> cli.Parser:
    """Declare the command's options."""
    parser = cli.Parser(
        command="evaluate",
        most_used=_COMMON,
        example="runs/mine",
        description="Scores a trained generator on its test split: beside every score stands "
        "that of the unchanged input, of the best constant image and of a real image drawn at "
        "random. Writes a report and the numbers into the run directory.",
    )
    parser.add_argument("run", type=str, help="A run directory or a .keras file.")
    parser.add_argument(
        "--data.source",
        type=str,
        help="Other images than the run's: a folder, tfds:NAME, hf:USER/SET or demo.",
    )
    parser.add_argument(
        "--data.x_dir", type=str, help="Plain folder of domain X, all of it scored; with y_dir."
    )
    parser.add_argument("--data.y_dir", type=str, help="Plain folder of domain Y.")
    cli.add_direction_option(
        parser,
        None,
        both=True,
        text="xy: from A to B; yx: from B to A. Both by default; of a file, what its name ends in, "
        "else xy.",
    )
    cli.add_checkpoint_option(parser)
    parser.add_argument(
        "--require_pairs", action="store_true", help="Refuse a test split not paired by file stem."
    )
    parser.add_argument(
        "--palette", type=str, help="JSON file with the colors of label maps: scores labels too."
    )
    parser.add_argument(
        "--segmenter",
        type=str,
        help="Your own segmentation network, .keras or .onnx: whether it finds the --labels in the "
        "translations as in the images.",
    )
    parser.add_argument(
        "--segmenter_range",
        type=str,
        choices=RANGES,
        default=RANGES[0],
        help="Black and white as the segmenter takes them.",
    )
    parser.add_argument(
        "--labels",
        type=str,
        help="Folder of label maps (class numbers, 255 does not count; or colors of the --palette) "
        "with the names of the test images.",
    )
    parser.add_argument(
        "--inception",
        type=str,
        default="off",
        help="FID and KID: auto (Keras' download and cache), the path of a weight file, or off.",
    )
    parser.add_argument(
        "--features",
        choices=OFFLINE,
        default=OFFLINE[0],
        help="Networks that packages bring (extra features): lite0 for KID-Lite0, FD-Lite0 and the "
        "nearest training image, vgg16_hed for LPIPS-VGG-HED, or all.",
    )
    parser.add_argument(
        "--max_images", type=int, help="At most so many test images of each domain, evenly spread."
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="Of patches, baselines and resamples that are drawn."
    )
    for name, content in (("json", "numbers go"), ("html", "report goes")):
        parser.add_argument(
            f"--{name}", type=str, help=f"Where the {content}; RUN/evaluation.{name} by default."
        )
    cli.add_output_options(parser)
    for former, option in _FORMER.items():
        cli.hidden_alias(parser, former, option)
    return parser


def main(argv: Sequence[str]) -> int:
    """Score, print a table and write the report; return the exit status."""
    arguments = build_parser().parse(argv)
    cli.log_to_terminal(arguments.quiet)
    _check(arguments)
    target = Path(arguments.run)
    check_target(target, arguments.checkpoint)
    _check_images(arguments)
    outputs = _outputs(arguments, target)
    directions = _directions(arguments.direction, target)
    # TensorFlow takes seconds to import: a mistake in the options is reported before that.
    with suppress_startup_logs():
        from cyclegan_tf.evaluate import inputs, run
        from cyclegan_tf.evaluate.report import html, summary, table

    start = time.monotonic()
    found = run.evaluate(
        run.EvaluationJob(
            target=target,
            directions=directions,
            data=inputs.DataChoice(
                arguments["data.source"], arguments["data.x_dir"], arguments["data.y_dir"]
            ),
            checkpoint=arguments.checkpoint,
            max_images=arguments.max_images,
            require_pairs=arguments.require_pairs,
            palette=arguments.palette,
            inception=arguments.inception,
            features=arguments.features,
            seed=arguments.seed,
            segmenter=arguments.segmenter,
            segmenter_range=arguments.segmenter_range,
            labels=arguments.labels,
            show_progress=sys.stderr.isatty() and not arguments.quiet,
        )
    )
    command = f"python -m cyclegan_tf.evaluate {shlex.join(argv)}"
    found = dataclasses.replace(found, facts={"Command": command, **found.facts})
    for result in found.directions:
        log.info("\n%s", "\n".join([table.format_table(result), *summary.summarize(result)]))
    log.info("")
    for note in found.notes:
        log.info("note: %s", note)
    texts = {
        "json": json.dumps(found.as_json(), indent=1, allow_nan=False) + "\n",
        "html": html.render_report(found),
    }
    _write({path: texts[kind] for kind, path in outputs.items()})
    for kind, path in outputs.items():
        log.info("%s: %s", "numbers" if kind == "json" else "report", path)
    log.info("scored in %.0f s", time.monotonic() - start)
    return 0


def _check(arguments: Namespace) -> None:
    if arguments.max_images is not None and arguments.max_images < 2:
        raise UserError(
            f"--max_images must be 2 or more, and is {arguments.max_images}.", field="--max_images"
        )
    if arguments.seed < 0:
        raise UserError(f"--seed must be 0 or more, and is {arguments.seed}.", field="--seed")
    if arguments.inception == "":
        raise UserError(
            "--inception is empty; give auto, or the file of the weights.", field="--inception"
        )
    if arguments.inception not in ("auto", "off") and not Path(arguments.inception).is_file():
        raise UserError(
            f"--inception {arguments.inception}: there is no such file of weights"
            f"{meant(Path(arguments.inception)) or '; auto downloads them.'}",
            code="missing",
            field="--inception",
        )
    check_offline(arguments.features, f"--features {arguments.features}")
    if arguments.palette is not None:
        read_palette(arguments.palette)
    _check_segmenter(arguments.segmenter, arguments.labels)


def _check_segmenter(segmenter: str | None, labels: str | None) -> None:
    if (segmenter is None) != (labels is None):
        given, missing = ("--segmenter", "--labels")[:: 1 if segmenter else -1]
        raise UserError(
            f"{given} is given without {missing}; a segmenter needs labels to find.",
            code="missing",
            field=missing,
        )
    if segmenter is None or labels is None:
        return
    if not segmenter.endswith((".keras", ".onnx")):
        raise UserError(
            f"--segmenter {segmenter} must be a .keras or an .onnx file.",
            code="unsupported",
            field="--segmenter",
        )
    if not Path(segmenter).is_file():
        raise UserError(
            f"--segmenter {segmenter} does not exist{meant(Path(segmenter)) or '.'}",
            code="missing",
            field="--segmenter",
        )
    require_folder(Path(labels), "--labels")


def _check_images(arguments: Namespace) -> None:
    """Look for other images than the run's before TensorFlow is imported."""
    x_dir, y_dir = arguments["data.x_dir"], arguments["data.y_dir"]
    if x_dir is not None and y_dir is not None:
        check_two_folders(x_dir, y_dir)
    elif arguments["data.source"] is not None:
        check_source(arguments["data.source"])


def _outputs(arguments: Namespace, target: Path) -> dict[str, Path]:
    """Choose the files to write, "json" and "html".

    Raises:
      UserError: one exists, or its folder does not.
    """
    outputs = {}
    for kind in ("json", "html"):
        if given := arguments[kind]:
            outputs[kind] = Path(given)
        elif target.is_dir():
            outputs[kind] = target / f"evaluation.{kind}"
    if len(set(outputs.values())) < len(outputs):
        raise UserError(
            f"--json and --html name the same file, {outputs['json']}; give each its own.",
            field="--html",
        )
    for kind, path in outputs.items():
        if path.is_dir() or not path.parent.is_dir():
            raise UserError(
                f"--{kind} {path} must be a file in a folder that exists.", field=f"--{kind}"
            )
        if path.exists() and not arguments.overwrite:
            raise UserError(
                f"{path} exists already; give --overwrite to replace it, or another --{kind}.",
                code="exists",
                field=f"--{kind}",
            )
    return outputs


def _directions(asked: str | None, target: Path) -> list[str]:
    if target.is_dir():
        return ["xy", "yx"] if asked in (None, "both") else [asked]
    if asked == "both":
        raise UserError(
            f"--direction both takes a run directory; {target} holds one generator.",
            code="mismatch",
            field="--direction",
        )
    return [asked or ("yx" if target.stem.endswith("yx") else "xy")]


def _write(texts: Mapping[Path, str]) -> None:
    """Write all files or none.

    Raises:
      UserError: one of them cannot be written.
    """
    path = Path()
    try:
        with contextlib.ExitStack() as files:
            for path, text in texts.items():
                partial = files.enter_context(atomic_file(path))
                partial.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UserError(
            f"{error.filename2 or path} cannot be written: {error.strerror}.",
            code="unwritable",
            field=str(path),
        ) from error
