"""`python -m cyclegan_tf.check DATA`: look through a data set before it is trained on.

Exit status 0: fine; 1: something to look at; 2: training would refuse it.
"""

from __future__ import annotations

import sys
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median_low
from typing import TYPE_CHECKING, Literal

from jsonargparse import Namespace

from cyclegan_tf import cli
from cyclegan_tf.check import volumes
from cyclegan_tf.config import files as config_files
from cyclegan_tf.config.data import Data
from cyclegan_tf.data import hub, layout
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError
from cyclegan_tf.images.folders import WRITTEN_SUFFIXES
from cyclegan_tf.volumes.geometry import AXES
from cyclegan_tf.volumes.slices import Cutting

if TYPE_CHECKING:
    from cyclegan_tf.check.examination import Report
    from cyclegan_tf.check.folders import Folder

_CONCLUSION = (
    "Fine to train on.",
    "Can be trained on; see the warnings.",
    "Training would refuse this; see the errors.",
)
_KINDS_SHOWN = 3
_WIDTH = 110

_COMMON = (
    "--config",
    "--data.x_dir",
    "--data.y_dir",
    "--data.crop_size_px",
    "--data.channels_x",
    "--data.pairs",
    "--contact_sheet",
)
_OF_THE_CONFIG = (
    *("crop_size_px", "channels_x", "channels_y", "range_x", "range_y", "hf_x", "hf_y", "pairs"),
    "axis",
)


def build_parser() -> cli.Parser:
    """Make the parser of the command's options."""
    parser = cli.Parser(
        command="check",
        most_used=_COMMON,
        example="images",
        description="Reads every image of a data set, and says what would go wrong in training.",
    )
    parser.add_argument(
        "source",
        nargs="?",
        help="Folder that holds trainA, trainB and perhaps testA, testB; or a set of the Hub, "
        "hf:USER/SET, as training gets it.",
    )
    parser.add_argument(
        "--config",
        type=str,
        help="As training gets it: its images, crop and channels, where no option gives others.",
    )
    parser.add_argument(
        "--data.x_dir",
        type=str,
        help="Plain folder of domain X, instead of SOURCE; with --data.y_dir.",
    )
    parser.add_argument("--data.y_dir", type=str, help="Plain folder of domain Y.")
    for domain in "xy":
        parser.add_argument(
            f"--data.hf_{domain}",
            type=str,
            help=f"Of an hf: set, what is domain {domain.upper()}: a column, a label or a split.",
        )
    parser.add_argument(
        "--contact_sheet",
        type=str,
        default="none",
        help="Image file to write, with some images of each folder.",
    )
    parser.add_argument(
        "--data.crop_size_px",
        type=int,
        default=256,
        help="Side of the crops that training will cut.",
    )
    parser.add_argument(
        "--data.channels_x",
        type=int | Literal["auto"],
        default="auto",
        help="Channels that training will read images with.",
    )
    parser.add_argument(
        "--data.channels_y",
        type=int | Literal["auto"] | None,
        help="The same for domain Y, where it differs.",
    )
    for domain in "xy":
        parser.add_argument(
            f"--data.range_{domain}",
            type=Literal["full", "auto"] | tuple[float, float],
            default="full",
            help=f"Which numbers of {domain.upper()} training takes for black and white.",
        )
    parser.add_argument(
        "--data.pairs",
        type=str,
        default="none",
        help="As training gets it, auto, a number or a CSV file: count partners, and compare them.",
    )
    parser.add_argument(
        "--data.axis",
        type=str,
        default="axial",
        help="Of volumes: along which training cuts slices.",
    )
    parser.text_options |= {"data.pairs", "data.axis"}
    for name in ("x_dir", "y_dir", "crop_size_px", "channels_y"):
        cli.hidden_alias(parser, f"--{name}", f"--data.{name}")
    cli.hidden_alias(parser, "--channels", "--data.channels_x")
    for name in ("--data.source", "--source"):
        cli.hidden_place(parser, name)
    return parser


def main(argv: Sequence[str]) -> int:
    """Print the report; return the exit status.

    Raises:
      UserError: bad options, or a missing folder.
    """
    arguments = _with_config(build_parser(), argv)
    options = arguments.data
    _check_options(arguments.source, options)

    if arguments.source:
        folders = layout.standard_folders(_opened(arguments.source, options), "SOURCE")
    else:
        folders = {"X": Path(options.x_dir), "Y": Path(options.y_dir)}
        layout.check_two_folders(*folders.values())
    sheet = _sheet_path(arguments.contact_sheet)
    of_volumes = volumes.volume_folders(folders)
    status = _look_at_volumes(of_volumes, options) if of_volumes else 0
    folders = {name: folder for name, folder in folders.items() if name not in of_volumes}
    if not folders:
        return status
    # TensorFlow takes seconds to import: a mistake in the options is reported before that.
    with suppress_startup_logs():
        from cyclegan_tf.check import examination

    report = examination.examine_folders(
        folders,
        options.channels_x,
        options.channels_y or options.channels_x,
        options.crop_size_px,
        sys.stderr.isatty(),
        options.pairs,
        {"X": options.range_x, "Y": options.range_y},
    )
    print(render(report))
    if sheet and any(folder.infos for folder in report.folders):
        _write_sheet(sheet, report)
    return max(status, report.status)


def _look_at_volumes(folders: Mapping[str, Path], options: Namespace) -> int:
    found = volumes.examine(folders, Cutting(str(options.axis)), sys.stderr.isatty())
    text, status = volumes.render(found, {"x": options.range_x, "y": options.range_y})
    print(f"{text}\n\n{_CONCLUSION[status]}")
    return status


def _with_config(parser: cli.Parser, argv: Sequence[str]) -> Namespace:
    """Parse; what --config says of images stands below what was typed."""
    arguments = parser.parse(argv)
    if arguments.config is None:
        return arguments
    values = config_files.load_yaml(config_files.find_config(arguments.config)).get("data") or {}
    typed = parser.parse(argv, defaults=False).as_dict()
    given = typed.get("data", {})
    if not (typed.get("source") or given.get("x_dir") or given.get("y_dir")):
        arguments.source = None if values.get("x_dir") else values.get("source")
        given = {"x_dir": values.get("x_dir"), "y_dir": values.get("y_dir"), **given}
    below = {name: values[name] for name in _OF_THE_CONFIG if values.get(name) is not None}
    merged = {**below, **{name: value for name, value in given.items() if value is not None}}
    for name, value in parser.check({"data": merged}).get("data", {}).items():
        arguments.data[name] = value
    return arguments


def _opened(source: str, options: Namespace) -> Path:
    """The folder of a data set; one of the Hub is fetched and unpacked, as for a training."""
    if not source.startswith(hub.SCHEME):
        return Path(source)
    return hub.open_hub(source.removeprefix(hub.SCHEME), options.hf_x, options.hf_y)


def _check_options(source: str | None, options: Namespace) -> None:
    for name in ("crop_size_px", "channels_x", "channels_y"):
        value = getattr(options, name)
        if value not in (None, "auto") and value < 1:
            raise UserError(
                f"--data.{name} got {value}, but takes a number from 1 up.", field=f"--data.{name}"
            )
    Data(pairs=options.pairs, range_x=options.range_x, range_y=options.range_y)
    if str(options.axis) not in AXES:
        raise UserError(
            f"--data.axis is {options.axis!r}; give one of {', '.join(AXES)}.", field="--data.axis"
        )
    is_hub = bool(source and source.startswith(hub.SCHEME))
    if source and not is_hub and not layout.is_folder(source):
        raise UserError(
            f"{source} is no folder, and check looks through folders and hf: sets; give one as "
            "SOURCE.",
            code="unsupported",
            field="SOURCE",
        )
    if (options.hf_x or options.hf_y) and not is_hub:
        raise UserError(
            "--data.hf_x and --data.hf_y are for a set of the Hub, hf:USER/SET.",
            code="mismatch",
            field="--data.hf_x",
        )
    plain = (options.x_dir, options.y_dir)
    if bool(source) == any(plain) or (any(plain) and not all(plain)):
        raise UserError(
            "give either a folder that holds trainA and trainB, or both --data.x_dir and "
            "--data.y_dir.",
            field="SOURCE",
        )


def _sheet_path(name: str) -> Path | None:
    """The contact sheet's file, or None for "none"."""
    sheet = Path(name)
    if name == "none":
        return None
    if sheet.suffix.lower() not in WRITTEN_SUFFIXES:
        raise UserError(
            f"--contact_sheet {sheet} must end in one of {', '.join(sorted(WRITTEN_SUFFIXES))}.",
            code="unsupported",
            field="--contact_sheet",
        )
    return sheet


def _write_sheet(sheet: Path, report: Report) -> None:
    from cyclegan_tf import images
    from cyclegan_tf.check import examination

    try:
        images.save(sheet, examination.contact_sheet(report))
    except OSError as error:
        raise UserError(
            f"--contact_sheet {sheet} cannot be written: {error.strerror or error}.",
            code="unwritable",
            field="--contact_sheet",
        ) from error
    print(f"\ncontact sheet: {sheet}")


def render(report: Report) -> str:
    """Lay out the report as text: a table, the findings, a conclusion."""
    head = ("folder", "images", "width px", "height px", "width/height", "kinds")
    table = [head, *(_row(folder) for folder in report.folders)]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    for finding in report.findings:
        first, *rest = f"{finding.level}: {finding.text}".split("\n")
        lines += [
            "",
            *textwrap.wrap(first, _WIDTH, subsequent_indent="    ", break_on_hyphens=False),
            *rest,
        ]
    return "\n".join([*lines, "", _CONCLUSION[report.status]])


def _row(folder: Folder) -> tuple[str, ...]:
    infos = folder.infos
    if not infos:
        return folder.name, str(len(folder.files)), "", "", "", ""
    kinds = Counter(f"{info.format} {info.mode} {info.bits}-bit" for info in infos).most_common()
    words = [f"{count} {kind}" for kind, count in kinds[:_KINDS_SHOWN]]
    if len(kinds) > _KINDS_SHOWN:
        words.append(f"{sum(count for _, count in kinds[_KINDS_SHOWN:])} others")
    return (
        folder.name,
        str(len(folder.files)),
        _range([info.width for info in infos]),
        _range([info.height for info in infos]),
        _range([round(info.width / info.height, 2) for info in infos]),
        ", ".join(words),
    )


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g} / {median_low(values):g} / {high:g}"
