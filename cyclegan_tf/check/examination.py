"""The examination: what in a data set would go wrong in training, and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from cyclegan_tf.check.findings import CHECKS, Finding, Folder, ImageReport, domain_of
from cyclegan_tf.check.pairing import look_at_pairs
from cyclegan_tf.data import screening
from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.folders import list_folder


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
    channels_x: int = 3,
    channels_y: int = 3,
    crop_size_px: int = 256,
    show_progress: bool = False,
    pairs: str = "none",
) -> Report:
    """Decode every image and look for what harms training.

    Args:
      folders: by name, as in `Folder.name`.
      channels_x: channels that images of X are read with.
      channels_y: channels that images of Y are read with.
      crop_size_px: side of the crops that training will cut.
      show_progress: draw a progress bar on standard error.
      pairs: which images are partners, as `data.pairs` of a training.

    Raises:
      UserError: a folder is missing, or the partners are.
    """
    listings = {name: list_folder(folder) for name, folder in folders.items()}
    paths = {name: listing.images for name, listing in listings.items()}
    channels = {name: channels_x if domain_of(name) == "X" else channels_y for name in folders}
    jobs = [(path, channels[name]) for name in folders for path in paths[name]]
    images = iter(list(_examine_all(jobs, show_progress)))
    examined = tuple(
        Folder(
            name,
            folder,
            channels[name],
            tuple(next(images) for _ in paths[name]),
            listings[name].others,
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
    """Draw a row of randomly chosen images per folder.

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
            rows.append([image_io.read(readable[i].path, folder.channels) for i in sorted(chosen)])
            titles.append(f"{folder.name} ({len(readable)})")
    if not rows:
        raise UserError("there is no image for a contact sheet.", code="missing")
    return image_io.make_grid(rows, row_titles=titles, cell_px=cell_px)


def _examine_all(jobs: Sequence[tuple[Path, int]], show_progress: bool) -> Iterator[ImageReport]:
    pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1))
    try:
        results = pool.map(_examine, *zip(*jobs, strict=True)) if jobs else iter(())
        yield from tqdm(
            results, "reading", len(jobs), disable=not show_progress, leave=False, unit=" images"
        )
    finally:
        pool.shutdown(cancel_futures=True)


def _examine(path: Path, channels: int) -> ImageReport:
    try:
        info = image_io.probe(path)
        image = image_io.read(path, channels)
    except image_io.ImageError as error:
        stored = error.stored if isinstance(error, image_io.ChannelsError) else None
        return ImageReport(path, error.reason, channels=stored)
    return ImageReport(
        path,
        None,
        info,
        digest=screening.digest(image),
        contrast=screening.contrast(image),
        brightest=float(image.max() / np.iinfo(image.dtype).max),
        thumbnail=screening.thumbnail(image),
    )
