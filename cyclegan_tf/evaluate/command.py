"""`python -m cyclegan_tf.evaluate RUN`: scores a trained translator, with baselines and a report to
look at."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import Namespace
from tqdm import tqdm

from cyclegan_tf import cli
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError

if TYPE_CHECKING:
    from cyclegan_tf.evaluate.features import Extractor
    from cyclegan_tf.evaluate.results import Evaluation
    from cyclegan_tf.evaluate.scores import Network, Split


def build_parser() -> cli.Parser:
    """The command's options."""
    parser = cli.Parser(
        prog="python -m cyclegan_tf.evaluate",
        description="Scores a trained translator on its test split: beside every score stands "
        "that of the unchanged input, of the best constant image and of a real image drawn at "
        "random. Writes a report and the numbers into the run directory.",
    )
    parser.add_argument("run", type=str, help="A run directory or a .keras file.")
    parser.add_argument(
        "--data.source", type=str, help="Other images than the run's: a folder, tfds:NAME or demo."
    )
    parser.add_argument(
        "--data.x_dir", type=str, help="Plain folder of domain X, all of it scored; with y_dir."
    )
    parser.add_argument("--data.y_dir", type=str, help="Plain folder of domain Y.")
    parser.add_argument(
        "--direction",
        choices=["xy", "yx", "both"],
        help="xy: from A to B; yx: from B to A. Both by default; of a file, what its name ends "
        "in, else xy.",
    )
    parser.add_argument(
        "--checkpoint",
        type=str,
        default="best",
        help="Of a run directory: best (by the scores of training; else the newest), last, or a "
        "step.",
    )
    parser.add_argument(
        "--paired", action="store_true", help="Insist on a test split paired by file stem."
    )
    parser.add_argument(
        "--palette", type=str, help="JSON file with the colors of label maps: scores labels too."
    )
    parser.add_argument(
        "--inception",
        type=str,
        default="off",
        help="FID and KID: auto (Keras' download and cache), the path of a weight file, or off.",
    )
    parser.add_argument(
        "--count", type=int, help="At most so many test images of each domain, evenly spread."
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="Of patches, stand-ins and resamples that are drawn."
    )
    parser.add_argument(
        "--json", type=str, help="Where the numbers go; RUN/evaluation.json by default."
    )
    parser.add_argument(
        "--html", type=str, help="Where the report goes; RUN/evaluation.html by default."
    )
    parser.add_argument("--overwrite", action="store_true", help="Replace outputs that exist.")
    parser.add_argument("--quiet", action="store_true", help="Print problems only.")
    return parser


def main(argv: Sequence[str]) -> int:
    """Scores; returns the exit status."""
    arguments = build_parser().parse(argv)
    target = Path(arguments.run)
    if arguments.count is not None and arguments.count < 2:
        raise UserError(f"--count must be 2 or more, and is {arguments.count}.")
    if arguments.seed < 0:
        raise UserError(f"--seed must be 0 or more, and is {arguments.seed}.")
    if arguments.inception == "":
        raise UserError("--inception is empty; give auto, or the file of the weights.")
    places = _places(arguments, target)
    directions = _directions(arguments.direction, target)
    # TensorFlow takes seconds to import: a mistake in the options is told before that.
    with suppress_startup_logs():
        from cyclegan_tf.evaluate.report import html as report
        from cyclegan_tf.evaluate.report import table

    def say(text: str) -> None:
        if not arguments.quiet:
            print(text, flush=True)

    begun = time.monotonic()
    found = _evaluation(arguments, target, directions, say, shlex.join(argv))
    for each in found.directions:
        say("\n" + table.table(each))
    say("")
    for note in found.notes:
        say(f"note: {note}")
    texts = {
        "json": json.dumps(found.as_json(), indent=1, allow_nan=False) + "\n",
        "html": report.report(found),
    }
    _write({path: texts[kind] for kind, path in places.items()})
    for kind, path in places.items():
        say(f"{'numbers' if kind == 'json' else 'report'}: {path}")
    say(f"scored in {time.monotonic() - begun:.0f} s")
    return 0


def _places(arguments: Namespace, target: Path) -> dict[str, Path]:
    """Kind -> file to write.

    Raises:
      UserError: one exists, or its folder does not.
    """
    places = {}
    for kind in ("json", "html"):
        if given := arguments[kind]:
            places[kind] = Path(given)
        elif target.is_dir():
            places[kind] = target / f"evaluation.{kind}"
    if len(set(places.values())) < len(places):
        raise UserError(
            f"--json and --html name the same file, {places['json']}; give each its own."
        )
    for kind, path in places.items():
        if path.is_dir() or not path.parent.is_dir():
            raise UserError(f"--{kind} {path} must be a file in a folder that exists.")
        if path.exists() and not arguments.overwrite:
            raise UserError(
                f"{path} exists already; give --overwrite to replace it, or another --{kind}."
            )
    return places


def _directions(asked: str | None, target: Path) -> list[str]:
    if target.is_dir():
        return ["xy", "yx"] if asked in (None, "both") else [asked]
    if asked == "both":
        raise UserError(f"--direction both takes a run directory; {target} holds one generator.")
    return [asked or ("yx" if target.stem.endswith("yx") else "xy")]


def _evaluation(
    arguments: Namespace,
    target: Path,
    directions: list[str],
    say: Callable[[str], None],
    command: str,
) -> Evaluation:
    from cyclegan_tf.evaluate import inputs as opening
    from cyclegan_tf.evaluate import label_maps as labeled
    from cyclegan_tf.evaluate.evaluator import Evaluator
    from cyclegan_tf.evaluate.report.protocol import protocol, sizes
    from cyclegan_tf.evaluate.results import Evaluation
    from cyclegan_tf.metrics.segmentation import read_palette

    data = opening.DataChoice(
        arguments["data.source"], arguments["data.x_dir"], arguments["data.y_dir"]
    )
    data.check()
    palette = read_palette(arguments.palette) if arguments.palette else None
    generators = opening.open_generators(target, directions, arguments.checkpoint)
    for direction in directions:
        say(f"generator {direction} of {generators[direction][1]}")
    source, preparation = opening.open_images(
        target, data, generators[directions[0]][0], directions[0]
    )
    split, notes = opening.open_split(source, preparation, arguments.count, arguments.paired)
    label_domain = labeled.label_domain(split, palette) if palette else None
    if palette:
        _check_labels(arguments.palette, split, label_domain, directions)
    extractor = _extractor(arguments.inception, notes)
    pairs = (
        f"{len(split.pairs)} pairs of the same file stem"
        if split.pairs
        else "not paired, so no truth is known"
    )
    say(f"{source.description}; test images {sizes(preparation)}; {pairs}")
    training = opening.training_images(
        source, preparation, directions, max(len(split.x), len(split.y))
    )
    judge = Evaluator(split, training, arguments.seed, palette, label_domain, extractor)

    told = protocol(
        preparation, arguments.seed, {k: len(v) for k, v in training.items()}, arguments.palette
    )
    results = []
    networks = {
        direction: opening.in_graph(network) for direction, (network, _) in generators.items()
    }
    for direction in directions:
        with _progress(split, direction, networks, arguments.quiet) as (there, back):
            found, featured = judge(direction, there, back, generators[direction][1])
        results.append(found)
        if featured:
            told[f"FID and KID, {direction}"] = featured.protocol
    if extractor:
        from cyclegan_tf.metrics.inception import PROTOCOL

        told["Inception"] = PROTOCOL
    facts = {
        "Command": f"python -m cyclegan_tf.evaluate {command}",
        "Data": source.description,
        "Truth": pairs,
        "Date": time.strftime("%Y-%m-%d %H:%M"),
    }
    return Evaluation(str(target), facts, results, [*source.notes, *notes], told)


def _check_labels(
    palette: str, split: Split, domain: str | None, directions: Sequence[str]
) -> None:
    if not split.pairs:
        raise UserError(
            f"--palette {palette} needs a test split paired by file stem, and this one is not."
        )
    if domain is None:
        raise UserError(
            f"--palette {palette}: the test images of neither domain are drawn in its colors."
        )
    if all(direction[1] != domain for direction in directions):
        raise UserError(
            f"--palette {palette}: domain {domain.upper()} is drawn in its colors; give "
            f"--direction {'xy' if domain == 'y' else 'yx'}, or both."
        )


def _extractor(choice: str, notes: list[str]) -> Extractor | None:
    """Of Inception features; None with a note where there are no weights."""
    if choice == "off":
        notes.append(
            "FID and KID are left out; --inception auto adds them (a download of 90 MB the first "
            "time)"
        )
        return None
    from cyclegan_tf.metrics.inception import InceptionUnavailable, open_inception

    try:
        return open_inception(choice)
    except InceptionUnavailable as error:
        notes.append(f"FID and KID are left out: {error}")
        return None


@contextlib.contextmanager
def _progress(
    split: Split, direction: str, networks: Mapping[str, Network], quiet: bool
) -> Iterator[tuple[Network, Network | None]]:
    """The two generators of a direction, moving a bar."""
    inputs, targets = len(split.inputs(direction)), len(split.targets(direction))
    there, back = networks[direction], networks.get(direction[::-1])
    total = inputs * (2 if back else 1) + targets
    hidden = quiet or not sys.stderr.isatty()
    with tqdm(total=total, unit="image", desc=direction, disable=hidden, leave=False) as bar:

        def counted(network: Network) -> Network:
            def run(batch: Any) -> Any:
                bar.update()
                return network(batch)

            return run

        yield counted(there), counted(back) if back else None


def _write(texts: Mapping[Path, str]) -> None:
    """Writes all files or none.

    Raises:
      UserError: one of them cannot be written.
    """
    partials = {path: path.with_name(path.name + ".partial") for path in texts}
    try:
        for path, text in texts.items():
            partials[path].write_text(text, encoding="utf-8")
        for path, partial in partials.items():
            os.replace(partial, path)
    except OSError as error:
        for partial in partials.values():
            with contextlib.suppress(OSError):
                partial.unlink()
        raise UserError(f"{error.filename} cannot be written: {error.strerror}.") from error
