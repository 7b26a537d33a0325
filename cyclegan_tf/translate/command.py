"""`python -m cyclegan_tf.translate RUN INPUT OUTPUT`: translates images or a video."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace
from tqdm import tqdm

from cyclegan_tf import cli
from cyclegan_tf.cli.terminal import ended_like_ctrl_c
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError
from cyclegan_tf.images.slides import is_slide_input
from cyclegan_tf.runs import targets
from cyclegan_tf.translate import beforehand, labels, tasks
from cyclegan_tf.translate.options import build_parser, kept_of
from cyclegan_tf.translate.video.probe import (
    frame_size,
    is_video,
    probe,
    require,
    require_written,
)
from cyclegan_tf.translate.volumes import planning

if TYPE_CHECKING:
    import keras

    from cyclegan_tf.translate.folder import Outcome
    from cyclegan_tf.translate.ranged import Meaning
    from cyclegan_tf.translate.sizing import Sizing
    from cyclegan_tf.translate.tasks import Plan, Task
    from cyclegan_tf.translate.translator import Translator

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    """Translate; return 0, or 1 when some images could not be."""
    arguments = build_parser().parse(argv)
    cli.log_to_terminal(arguments.quiet)
    beforehand.check_options(arguments.as_dict())
    places = (arguments.input, arguments.output)
    usage = build_parser().usage_line()
    beforehand.check_run(arguments.run, arguments.checkpoint, places, usage)
    of_volumes = planning.takes_volumes(Path(arguments.input))
    planning.check_options(arguments.as_dict(), of_volumes)
    if of_volumes:
        return _translate_volumes(arguments)
    if is_video(Path(arguments.input)):
        return _translate_video(arguments)
    if is_slide_input(Path(arguments.input), _asks_for_scale(arguments)):
        return _translate_slides(arguments)
    if arguments.temporal_half_life_frames is not None:
        raise UserError(
            f"--temporal_half_life_frames is for videos, and {arguments.input} is none.",
            code="mismatch",
            field="--temporal_half_life_frames",
        )
    return _translate_images(arguments)


def _asks_for_scale(arguments: Namespace) -> bool:
    return arguments.level is not None or bool(arguments.mpp)


def _translate_slides(arguments: Namespace) -> int:
    output = Path(arguments.output)
    with suppress_startup_logs():
        from cyclegan_tf.images.slides import Scale
        from cyclegan_tf.translate import slides
        from cyclegan_tf.translate.sizing import TILE_PX
        from cyclegan_tf.translate.tiling import large_files
    asked = _asks_for_scale(arguments)
    found = slides.slide_tasks(
        Path(arguments.input), output, asked, tasks.is_folder(arguments.output)
    )
    todo = tasks.remaining(found, arguments.skip_existing, arguments.overwrite)
    network, _ = _load(arguments, _sizing(arguments))
    tiler = large_files.tiler_of(arguments, network, arguments.tile_px or TILE_PX)
    scale = Scale(arguments.level or 0, arguments.mpp)
    done = slides.translate_slides(
        tiler, todo, scale, arguments.background, _shows_progress(arguments)
    )
    with ended_like_ctrl_c(), contextlib.closing(done):
        for task in done:
            log.info("%s translated to %s", task.source, task.target)
    return 0


def _translate_images(arguments: Namespace) -> int:
    ranges = targets.ranges(Path(arguments.run), arguments.direction)
    plan = tasks.plan_tasks(
        Path(arguments.input), Path(arguments.output), tasks.is_folder(arguments.output),
        ranges.target.dtype if ranges.target else None,
    )  # fmt: skip
    carrying = _carrying(arguments, plan)
    todo = tasks.remaining(plan.tasks, arguments.skip_existing, arguments.overwrite)
    if carrying and not (arguments.skip_existing or arguments.overwrite):
        carrying.refuse_overwriting()
    if not os.path.isdir(arguments.input):
        beforehand.check_image(
            Path(arguments.input),
            Path(arguments.run),
            arguments.direction,
            bool(arguments.tile_px)
            or arguments.size == beforehand.FULL
            or beforehand.may_see_every_pixel(Path(arguments.run)),
        )
    sizing = _sizing(arguments)
    with suppress_startup_logs():
        from cyclegan_tf.networks.builders import size_divisor_of
        from cyclegan_tf.translate.ranged import Meaning
        from cyclegan_tf.translate.remarks import summarize
        from cyclegan_tf.translate.translator import Translator
    network, origin = _load(arguments, sizing)
    translator = Translator(network, size_divisor_of(network), sizing.scale, ranges)
    meaning = Meaning(ranges)
    outcomes = _outcomes(arguments, sizing, network, translator, todo, meaning)
    failed, remarks, made = 0, list[str](), list[Path]()
    # Closed also by Ctrl-C: files being written are then whole before the program ends.
    with (
        ended_like_ctrl_c(),
        _carried(arguments, carrying, plan, origin, made),
        contextlib.closing(outcomes),
    ):
        for outcome in tqdm(
            outcomes, total=len(todo), unit="image", disable=not _shows_progress(arguments)
        ):
            remarks += outcome.remarks
            if outcome.error is None:
                made.append(outcome.task.target)
                remarks += sizing.remarks_on(outcome.task.source)
            elif not os.path.isdir(arguments.input):
                raise outcome.error  # one file, one sentence
            else:
                failed += 1
                tqdm.write(f"skipped: {outcome.error}", file=sys.stderr)
    _log_end(plan, len(todo) - failed, len(todo), arguments.output)
    for line in filter(None, [*summarize(remarks), meaning.line()]):
        log.warning(line)
    return 1 if failed else 0


def _carrying(arguments: Namespace, plan: Plan) -> labels.Carrying | None:
    if not arguments.labels:
        return None
    folder, source = Path(arguments.labels), Path(arguments.input)
    return labels.plan_labels(folder, source, Path(arguments.output), plan.tasks)


@contextlib.contextmanager
def _carried(
    arguments: Namespace,
    carrying: labels.Carrying | None,
    plan: Plan,
    origin: str,
    made: list[Path],
) -> Iterator[None]:
    """Carry labels when all is done, and those of what is done when it is stopped."""
    from cyclegan_tf.runs.evaluations import known_scores

    try:
        yield
    finally:
        if carrying:
            run, direction = Path(arguments.run), arguments.direction
            scores = known_scores(run, direction, origin)
            facts = {"run": str(run), "checkpoint": origin, "direction": direction}
            carrying.finish(plan.tasks, {**facts, "scores": scores}, made)


def _log_end(plan: Plan, done: int, todo: int, output: str, what: str = "images") -> None:
    existing = len(plan.tasks) - todo
    also = f" ({existing} existed already)" if existing else ""
    log.info("%d of %d %s translated to %s%s", done, todo, what, output, also)
    tasks.warn_of_left_out(plan)


def _load(arguments: Namespace, sizing: Sizing) -> tuple[keras.Model, str]:
    from cyclegan_tf.runs import generators

    network, checkpoint = generators.load_generator(
        Path(arguments.run), arguments.direction, checkpoint=arguments.checkpoint
    )
    named = generators.direction_name(Path(arguments.run), arguments.direction)
    log.info("generator %s of %s", named, checkpoint)
    if sizing.trained is None and arguments.size == beforehand.AUTO:
        log.info(
            "%s does not say how large images were in its training: it sees every pixel (--size "
            "full); --size 256, say, brings them to a scale",
            arguments.run,
        )
    return network, checkpoint


def _sizing(arguments: Namespace) -> Sizing:
    with suppress_startup_logs():
        from cyclegan_tf.runs import generators
        from cyclegan_tf.translate.sizing import Sizing

    target = Path(arguments.run)
    trained = generators.training_scale(target, arguments.direction) if target.exists() else None
    implied = arguments.tile_px and arguments.size == beforehand.AUTO
    sizing = Sizing.of("full" if implied else arguments.size, trained)
    if arguments.tile_px and sizing.scale.px is not None:
        raise UserError(
            f"--tile_px is for --size full, and --size is {arguments.size}; leave one out.",
            code="mismatch",
            field="--tile_px",
        )
    return sizing


def _outcomes(
    arguments: Namespace,
    sizing: Sizing,
    network: keras.Model,
    translator: Translator,
    todo: Sequence[Task],
    meaning: Meaning,
) -> Generator[Outcome, None, None]:
    from cyclegan_tf.translate import folder
    from cyclegan_tf.translate.sizing import TILE_PX, refuse_too_large, too_large

    if arguments.tile_px:
        return _in_tiles(arguments, network, translator, todo, arguments.tile_px, meaning)
    found = too_large(network, (task.source for task in todo)) if sizing.scale.px is None else None
    if found is None:
        batch_size, kept = arguments.batch_size, kept_of(arguments)
        return folder.translate_files(translator, todo, batch_size, meaning, kept)
    path, needed = found
    log.info(
        "%s needs about %.0f GiB whole: translated as by --tile_px %d",
        path,
        needed / 2**30,
        TILE_PX,
    )
    try:
        return _in_tiles(arguments, network, translator, todo, TILE_PX, meaning)
    except UserError as error:
        raise refuse_too_large(path, needed, error) from error


def _in_tiles(
    arguments: Namespace,
    network: keras.Model,
    translator: Translator,
    tasks: Sequence[Task],
    tile_px: int,
    meaning: Meaning,
) -> Generator[Outcome, None, None]:
    from cyclegan_tf.translate.tiling import large_files

    if arguments.batch_size:
        raise UserError(
            "--batch_size is for images translated whole; leave it out with --tile_px.",
            code="mismatch",
            field="--batch_size",
        )
    tiler = large_files.tiler_of(arguments, network, tile_px)
    shows = _shows_progress(arguments)
    kept = kept_of(arguments)
    return large_files.translate_large_files(tiler, translator, tasks, shows, meaning, kept)


def _translate_volumes(arguments: Namespace) -> int:
    plan, todo = planning.planned(arguments)
    sizing = _sizing(arguments)
    with suppress_startup_logs():
        from cyclegan_tf.translate.volumes import commanding
    network, _ = _load(arguments, sizing)
    with ended_like_ctrl_c():
        failed = commanding.translate_volumes(
            commanding.translator_of(arguments, network, sizing), todo, sizing,
            skips=len(plan.tasks) > 1,
            replace=arguments.overwrite,
            show_progress=_shows_progress(arguments),
        )  # fmt: skip
    _log_end(plan, len(todo) - failed, len(todo), arguments.output, "volumes")
    return 1 if failed else 0


def _translate_video(arguments: Namespace) -> int:
    source = Path(arguments.input)
    of_images = {name: getattr(arguments, name) for name in ("tile_px", "batch_size", "labels")}
    target = beforehand.video_target(source, arguments.output, of_images)
    if target.exists() and arguments.skip_existing:
        return 0
    if target.exists() and not arguments.overwrite:
        raise UserError(
            f"{target} exists already; give --overwrite to replace it, or another output.",
            code="exists",
            field=str(target),
        )
    require_written(target)
    require()
    found = probe(source)
    sizing = _sizing(arguments)
    with suppress_startup_logs():
        from cyclegan_tf.networks.builders import size_divisor_of
        from cyclegan_tf.translate.video import translation as video
    network, _ = _load(arguments, sizing)
    half_life = arguments.temporal_half_life_frames
    frames = video.translate_video(
        network,
        size_divisor_of(network),
        found,
        target,
        half_life_frames=video.HALF_LIFE_FRAMES if half_life is None else half_life,
        scale=sizing.scale,
        show_progress=_shows_progress(arguments),
    )
    log.info("%d frames translated to %s", frames, target)
    for remark in sizing.remarks(*frame_size(source)) if sizing.trained else ():
        log.warning("frames are %s", remark)
    return 0


def _shows_progress(arguments: Namespace) -> bool:
    return sys.stderr.isatty() and not arguments.quiet
