"""Where images come from: two domains, each with a train and a test list of images."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cyclegan_tf.data.image_lists import Channels, Files, ImageList, OneDomain, open_lists
from cyclegan_tf.data.layout import FOLDERS, check_two_folders, standard_folders
from cyclegan_tf.data.volume_lists import VolumeFiles, list_domain, volume_of
from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.folders import FolderListing, describe_others
from cyclegan_tf.volumes.opening import stem_of
from cyclegan_tf.volumes.slices import AXIAL, Cutting


@dataclass(frozen=True)
class UnpairedDataset:
    """Both domains' train and test images; a test list may be empty.

    Attributes:
      description: one line: what and how many.
      notes: facts to log once.

    Example:
      >>> dataset = open_demo(seed=0)
      >>> len(dataset.train_x), len(dataset.test_y)
    """

    train_x: ImageList
    train_y: ImageList
    test_x: ImageList
    test_y: ImageList
    description: str
    notes: tuple[str, ...] = ()

    def record(self) -> dict[str, list[str]]:
        """Give the names by list, as kept in the run directory."""
        return {
            name: list(getattr(self, name).names)
            for name in ("train_x", "train_y", "test_x", "test_y")
        }


def _left_out(listing: FolderListing, folder: Path) -> tuple[str, ...]:
    """A note on files of kinds that are not read; none if there are none."""
    if not listing.others:
        return ()
    left_out = sum(listing.others.values())
    return (
        f"{folder}: {left_out} of {left_out + len(listing.images)} files are of kinds that are not "
        f"read and are left out ({describe_others(listing.others)})",
    )


def _require_some(listing: FolderListing, folder: Path, what: str) -> None:
    if not listing.images:
        raise UserError(
            f"{folder} holds no images ({', '.join(sorted(image_io.EXTENSIONS))}) and no volumes; "
            "a domain needs some.",
            code="missing",
            field=what,
        )


def _notes(lists: Sequence[ImageList]) -> tuple[str, ...]:
    notes = []
    alpha = [info for images in lists for info in images.infos if info.has_alpha]
    if alpha:
        notes.append(
            f"{len(alpha)} images have transparency and are laid on white (first: "
            f"{alpha[0].path.name})"
        )
    paged = [info for images in lists for info in images.infos if info.more_pages]
    if paged:
        notes.append(
            f"{len(paged)} files hold more than one page or frame, of which the first is taken "
            f"(first: {paged[0].path.name}); save each page as a file to train on all"
        )
    for domain, images in zip("xy", lists, strict=False):  # train_x, train_y
        if images.channels == 3 and images.infos and all(info.is_gray for info in images.infos):
            notes.append(
                f"all images of {domain.upper()} are gray and are read as color, three equal "
                f"channels; --data.channels_{domain} 1 makes its networks gray"
            )
    return tuple(notes)


def open_folder(
    root: Path,
    channels_x: Channels,
    channels_y: Channels,
    max_pixels: int,
    cutting: Cutting = AXIAL,
) -> UnpairedDataset:
    """Open a data set in the paper's layout: trainA, trainB and perhaps testA, testB.

    Args:
      root: the folder that holds them.
      channels_x: channels that images of X are read with; "auto" is decided by the headers.
      channels_y: likewise of Y.
      max_pixels: larger images are refused.
      cutting: how volumes are cut into images.

    Raises:
      UserError: a folder is missing or empty, or a file is not an image.
    """
    standard_folders(root)
    files: list[OneDomain] = []
    left_out: list[str] = []
    for name in FOLDERS:
        domain = "x" if name.endswith("A") else "y"
        folder = root / name
        is_there = folder.is_dir() or name.startswith("train")
        listing, is_volumes = list_domain(folder) if is_there else (FolderListing((), {}), False)
        if name.startswith("train"):
            _require_some(listing, folder, "data.source")
        left_out += _left_out(listing, folder)
        if is_volumes:
            files.append(VolumeFiles.opened(listing.images, root, domain, cutting))
        else:
            files.append(Files.probed(listing.images, root, domain, max_pixels))
    lists, notes = open_lists(files, channels_x, channels_y)
    return of_lists(str(root), lists, [*left_out, *notes])


def open_two_folders(
    x_dir: Path,
    y_dir: Path,
    test_fraction: float,
    seed: int,
    channels_x: Channels,
    channels_y: Channels,
    max_pixels: int,
    recorded: dict[str, list[str]] | None = None,
    cutting: Cutting = AXIAL,
) -> UnpairedDataset:
    """Open two plain folders, each split into train and test.

    An image's side is decided by a hash of its name and the seed, so that adding images moves no
    other one. All slices of a volume are on one side.

    Args:
      x_dir: images of X.
      y_dir: images of Y.
      test_fraction: share of each folder that is held out.
      seed: of the split.
      channels_x: channels that images of X are read with; "auto" is decided by the headers.
      channels_y: likewise of Y.
      max_pixels: larger images are refused.
      recorded: a `UnpairedDataset.record`; keeps the split that a run began with, new images going
        to training.
      cutting: how volumes are cut into images.

    Raises:
      UserError: a folder is missing or empty, or a file is not an image.
    """
    check_two_folders(x_dir, y_dir)
    files: dict[str, OneDomain] = {}
    left_out: list[str] = []
    for domain, folder in (("x", x_dir), ("y", y_dir)):
        listing, is_volumes = list_domain(folder)
        _require_some(listing, folder, f"data.{domain}_dir")
        left_out += _left_out(listing, folder)
        names = [path.relative_to(folder).as_posix() for path in listing.images]
        if is_volumes:
            names = [stem_of(name) for name in names]
        if recorded:
            known = recorded[f"test_{domain}"]
            held_out = {volume_of(name) for name in known} if is_volumes else set(known)
        else:
            held_out = _chosen_by_hash(names, test_fraction, seed)
        for split, wanted in (("train", False), ("test", True)):
            chosen = [
                path
                for path, name in zip(listing.images, names, strict=True)
                if (name in held_out) == wanted
            ]
            files[f"{split}_{domain}"] = (
                VolumeFiles.opened(chosen, folder, domain, cutting)
                if is_volumes
                else Files.probed(chosen, folder, domain, max_pixels)
            )
    ordered = [files[name] for name in ("train_x", "train_y", "test_x", "test_y")]
    lists, notes = open_lists(ordered, channels_x, channels_y)
    return of_lists(f"{x_dir} and {y_dir}", lists, [*left_out, *notes])


def _chosen_by_hash(names: Sequence[str], share: float, seed: int) -> set[str]:
    """A share of some names, never all."""
    count = min(round(share * len(names)), len(names) - 1)
    by_hash = sorted(names, key=lambda name: hashlib.sha256(f"{seed}/{name}".encode()).digest())
    return set(by_hash[:count])


def open_demo(seed: int = 0, is_paired: bool = False) -> UnpairedDataset:
    """Open the built-in scenes, drawn when read: train unpaired, the test split paired.

    Args:
      seed: another seed is another data set.
      is_paired: whether the training images of both domains show the same scenes, too.
    """
    from cyclegan_tf.data import demo

    def train(domain: Literal["x", "y"]) -> ImageList:
        folder = "train" if is_paired else f"train/{domain}"
        names = tuple(f"{folder}/{index:04d}" for index in range(demo.TRAIN_IMAGES))

        def draw(index: int) -> np.ndarray:
            scenes: Literal["x", "y"] = "x" if is_paired else domain
            return demo.train_image(domain, index, demo.SIZE_PX, seed, scenes)

        return ImageList(names, 3, draw, is_drawn=True)

    def test(domain: Literal["x", "y"]) -> ImageList:
        names = tuple(f"test/{index:04d}" for index in range(demo.TEST_IMAGES))

        def draw(index: int) -> np.ndarray:
            return demo.test_image(domain, index, demo.SIZE_PX, seed)

        return ImageList(names, 3, draw, is_drawn=True)

    lists = [train("x"), train("y"), test("x"), test("y")]
    return of_lists(f"the built-in demo scenes{', paired' if is_paired else ''}", lists)


def open_tfds(name: str, tfds_dir: str | None, channels_x: int, channels_y: int) -> UnpairedDataset:
    """Open a tensorflow-datasets builder with the splits trainA, trainB, testA and testB.

    Downloads and prepares it where that has not been done.

    Args:
      name: of the builder, whose examples have a feature "image".
      tfds_dir: where prepared data lie; None for the library's own folder.
      channels_x: channels that images of X must have.
      channels_y: channels that images of Y must have.

    Raises:
      UserError: no such builder, no such splits, wrong channels, or the download failed.
    """
    import tensorflow_datasets as tfds

    builder = _tfds_builder(name, tfds_dir)
    missing = [split for split in FOLDERS if split not in builder.info.splits]
    if missing:
        raise UserError(
            f"data.source tfds:{name} has the splits {sorted(builder.info.splits)}, but CycleGAN "
            f"needs {list(FOLDERS)}.",
            code="mismatch",
            field="data.source",
        )
    lists = []
    for split in FOLDERS:
        channels = channels_x if split.endswith("A") else channels_y
        stored = [
            example["image"]
            for example in tfds.as_numpy(builder.as_dataset(split=split, shuffle_files=False))
        ]
        if stored and stored[0].shape[-1] != channels:
            raise UserError(
                f"data.source tfds:{name} has {stored[0].shape[-1]} channels in {split}, but "
                f"data.channels_{'x' if split.endswith('A') else 'y'} is {channels}.",
                code="mismatch",
                field=f"data.channels_{'x' if split.endswith('A') else 'y'}",
            )
        names = tuple(f"{split}/{index:05d}" for index in range(len(stored)))
        lists.append(ImageList(names, channels, stored.__getitem__))
    return of_lists(f"tensorflow-datasets {name}", lists)


def _tfds_builder(name: str, tfds_dir: str | None) -> Any:
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=tfds_dir)
        builder.download_and_prepare()
    except ImportError as error:
        package = error.name or "a package"
        raise UserError(
            f"data.source tfds:{name} cannot be prepared: {package} is not installed, which "
            f"tensorflow-datasets imports for it ({error}): pip install {error.name or 'it'}.",
            code="missing",
            field="data.source",
        ) from error
    # tfds raises a dozen kinds for a wrong name, no network, a bad checksum
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"data.source tfds:{name} cannot be prepared: {reason} (check the name and the "
            "network, or point --data.tfds_dir at a prepared copy).",
            code="unreadable",
            field="data.source",
        ) from error
    return builder


def of_lists(what: str, lists: Sequence[ImageList], notes: Sequence[str] = ()) -> UnpairedDataset:
    """Make a data set of four lists in the order of `FOLDERS`.

    Args:
      what: describes it, without counts.
      lists: of images.
      notes: facts to log once.
    """
    train_x, train_y, test_x, test_y = lists
    x, y = (f"{len(a)} train, {len(b)} test" for a, b in ((train_x, test_x), (train_y, test_y)))
    description = f"{what}: X {x}; Y {y}"
    return UnpairedDataset(train_x, train_y, test_x, test_y, description, (*notes, *_notes(lists)))
