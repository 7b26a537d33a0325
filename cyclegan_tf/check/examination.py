"""The examination: what in a data set would go wrong in training, and what to do about it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from tqdm import tqdm

from cyclegan_tf.check.findings import CHECKS
from cyclegan_tf.check.folders import Finding, Folder, ImageReport, domain_of
from cyclegan_tf.check.pairing import look_at_pairs
from cyclegan_tf.config.data import Data
from cyclegan_tf.data import screening
from cyclegan_tf.data.image_lists import Channels, ImageList, decided_channels
from cyclegan_tf.data.value_ranges import find_range, number_type, read_levels
from cyclegan_tf.errors import UserError
from cyclegan_tf.images import grid
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.folders import list_folder
from cyclegan_tf.images.pixel_values import NO_WHITE
from cyclegan_tf.images.ranges import ValueRange

Wanted = Literal["full", "auto"] | tuple[float, float]
"""Range of a domain, as a training is asked for it."""


@dataclass(frozen=True)
class Report:
    """All folders and what was found, worst first.

    Example:
      >>> report = examine_folders({"X": Path("horses"), "Y": Path("zebras")})
      >>> for finding in report.findings:
      ...     print(finding.level, finding.text)
    """

    folders: tuple[Folder, ...]
    findings: tuple[Finding, ...]

    @property
    def status(self) -> int:
        """The exit status. 0: fine, 1: warnings, 2: not usable as it is."""
        levels = {finding.level for finding in self.findings}
        return 2 if "error" in levels else 1 if "warning" in levels else 0


def examine_folders(
    folders: Mapping[str, Path],
    channels_x: Channels = 3,
    channels_y: Channels = 3,
    crop_size_px: int = 256,
    show_progress: bool = False,
    pairs: str = "none",
    ranges: Mapping[str, Wanted] = MappingProxyType({}),
) -> Report:
    """Decode every image and look for what harms training.

    Args:
      folders: by name, as in `Folder.name`.
      channels_x: channels that images of X are read with; "auto" is decided by their headers.
      channels_y: channels that images of Y are read with.
      crop_size_px: side of the crops that training will cut.
      show_progress: draw a progress bar on standard error.
      pairs: which images are partners, as `data.pairs` of a training.
      ranges: of "X" and "Y", as `data.range_x` of a training: "full" (the default), "auto", or
        two numbers.

    Raises:
      UserError: a folder is missing, or the partners are, or images have no range.
    """
    listings = {name: list_folder(folder) for name, folder in folders.items()}
    paths = {name: listing.images for name, listing in listings.items()}
    domains = {name: domain_of(name).lower() for name in folders}
    infos = {domain: _headers(paths, domains, domain) for domain in "xy"}
    decided = decided_channels({"x": channels_x, "y": channels_y}, infos)
    channels = {name: decided[domain] for name, domain in domains.items()}
    known = {
        domain: _range(ranges.get(domain.upper(), "full"), infos[domain], decided[domain], domain)
        for domain in "xy"
    }
    jobs = [
        (path, channels[name], known[domains[name]]) for name in folders for path in paths[name]
    ]
    images = iter(list(_examine_all(jobs, show_progress)))
    examined = tuple(
        Folder(
            name,
            folder,
            channels[name],
            tuple(next(images) for _ in paths[name]),
            listings[name].others,
            known[domains[name]],
        )
        for name, folder in folders.items()
    )
    findings = [finding for look in CHECKS for finding in look(examined, crop_size_px)]
    findings += look_at_pairs(examined, pairs, show_progress)
    order = ("error", "warning", "note")
    return Report(examined, tuple(sorted(findings, key=lambda finding: order.index(finding.level))))


def contact_sheet(
    report: Report, images_per_row: int = 8, cell_px: int = 128, seed: int = 0
) -> np.ndarray:
    """Draw a row of randomly chosen images per folder, and a bar for the range of gray domains.

    Args:
      report: of the folders.
      images_per_row: at most.
      cell_px: side of the square that an image is scaled to.
      seed: chooses the images.

    Returns:
      uint8 (H, W, 3).

    Raises:
      UserError: not one image can be read.
    """
    rng = np.random.default_rng(seed)
    rows, titles = [], []
    for folder in report.folders:
        readable = [file for file in folder.files if file.info]
        chosen = rng.permutation(len(readable))[:images_per_row]
        if len(chosen):
            rows.append([folder.read(readable[i].path) for i in sorted(chosen)])
            titles.append(f"{folder.name} ({len(readable)})")
    if not rows:
        raise UserError("there is no image for a contact sheet.", code="missing")
    bars = {f.domain: f.value_range for f in report.folders if f.value_range and f.channels == 1}
    return grid.with_bars(image_io.make_grid(rows, row_titles=titles, cell_px=cell_px), bars)


def _headers(
    paths: Mapping[str, Sequence[Path]], domains: Mapping[str, str], domain: str
) -> tuple[image_io.ImageInfo, ...]:
    """Headers of a domain's images, training's first; those that cannot be read are left out."""
    found = []
    for name in sorted((name for name in paths if domains[name] == domain), reverse=True):
        for path in paths[name]:
            with contextlib.suppress(image_io.ImageError):
                found.append(image_io.probe(path))
    return tuple(found)


def _range(
    wanted: Wanted, infos: Sequence[image_io.ImageInfo], channels: int, domain: str
) -> ValueRange | None:
    """The range of a domain; None for the full one."""
    images = ImageList(tuple(str(info.path) for info in infos), channels, int, tuple(infos))  # type: ignore[arg-type]
    if wanted == "full" or not infos:
        return None
    if wanted == "auto":
        return find_range(images, Data().range_percentiles, domain)
    return ValueRange(*wanted, number_type(images))


def _examine_all(
    jobs: Sequence[tuple[Path, int, ValueRange | None]], show_progress: bool
) -> Iterator[ImageReport]:
    pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1))
    try:
        results = pool.map(_examine, *zip(*jobs, strict=True)) if jobs else iter(())
        yield from tqdm(
            results, "reading", len(jobs), disable=not show_progress, leave=False, unit=" images"
        )
    finally:
        pool.shutdown(cancel_futures=True)


def _examine(path: Path, channels: int, value_range: ValueRange | None) -> ImageReport:
    info = None
    try:
        info = image_io.probe(path)
        image = read_levels(path, channels, value_range)
    except image_io.ImageError as error:
        stored = error.stored if isinstance(error, image_io.ChannelsError) else None
        needs_range = value_range is None and info is not None and info.white in (1, NO_WHITE)
        needs_range = needs_range and stored is None
        return ImageReport(path, error.reason, channels=stored, needs_range=needs_range)
    return ImageReport(
        path,
        None,
        info,
        digest=screening.digest(image),
        contrast=screening.contrast(image),
        darkest=float(image.min() / np.iinfo(image.dtype).max),
        brightest=float(image.max() / np.iinfo(image.dtype).max),
        thumbnail=screening.thumbnail(image),
    )
