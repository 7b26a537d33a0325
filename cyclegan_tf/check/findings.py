"""What harms training, found in what the data doctor knows of each image."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cyclegan_tf.images import io as image_io

FLAT_CONTRAST = 1 / 255
"""Standard deviation, as a share of white, below which an image has nothing to see."""

DARK_SHARE = 1 / 8
"""Deep images that never reach this share of white are taken for shallow data in a deep
container."""

UNEVEN_COUNTS = 3
"""How many times as large one domain may be before it is worth a word."""

_NAMES_SHOWN = 8
_FILES_LISTED = 100


@dataclass(frozen=True)
class ImageReport:
    """What was found in one file.

    Attributes:
      path: the file.
      problem: why it cannot be read; None if it can, and only then the rest is known.
      info: its header.
      digest: equal for images that are equal after decoding.
      contrast: largest standard deviation of a channel, as a share of white.
      brightest: largest level as a share of white.
    """

    path: Path
    problem: str | None = None
    info: image_io.ImageInfo | None = None
    digest: bytes = b""
    contrast: float = 0.0
    brightest: float = 0.0


@dataclass(frozen=True)
class Folder:
    """One folder of images.

    Attributes:
      name: "trainA", "trainB", "testA", "testB", or "X", "Y" for plain folders.
      path: where it is.
      channels: what each image was read with.
      files: all image files.
      ignored: suffix -> number of other files.
    """

    name: str
    path: Path
    channels: int
    files: tuple[ImageReport, ...]
    ignored: Mapping[str, int]

    @property
    def domain(self) -> str:
        """ "X" or "Y"."""
        return domain_of(self.name)

    @property
    def is_training(self) -> bool:
        """Training reads this folder."""
        return not self.name.startswith("test")

    @property
    def infos(self) -> list[image_io.ImageInfo]:
        """Headers of the readable images."""
        return [file.info for file in self.files if file.info]

    def names(self, files: Sequence[ImageReport]) -> str:
        """Some file names for a sentence."""
        shown = [file.path.relative_to(self.path).as_posix() for file in files[:_NAMES_SHOWN]]
        more = [f"{len(files) - len(shown)} more"] if len(files) > len(shown) else []
        return ", ".join(shown + more)


@dataclass(frozen=True)
class Finding:
    """One thing to know: "note" needs nothing done, "warning" is worth a look, "error" stops
    training."""

    level: Literal["note", "warning", "error"]
    text: str


def domain_of(name: str) -> str:
    """The domain, "X" or "Y", of a folder by its name."""
    return "X" if name in ("trainA", "testA", "X") else "Y"


def _files(count: int, what: str = "image") -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _look_for_images(folders: Sequence[Folder], _: int) -> Iterator[Finding]:
    for folder in folders:
        others = ", ".join(f"{count} {suffix}" for suffix, count in folder.ignored.items())
        if not folder.files:
            known = ", ".join(sorted(image_io.EXTENSIONS))
            held = f" (it holds {others})" if others else ""
            level: Literal["note", "error"] = "error" if folder.is_training else "note"
            yield Finding(level, f"{folder.name} has no images{held}. Put some there: {known}.")
        elif others:
            yield Finding(
                "note", f"{folder.name}: files of other kinds are not looked at ({others})."
            )
    names = {folder.name for folder in folders}
    for name in ("testA", "testB"):
        if "trainA" in names and name not in names:
            text = f"There is no {name}; training works, but nothing is held back to judge it by."
            yield Finding("note", text)


def _look_for_unreadable(folders: Sequence[Folder], _: int) -> Iterator[Finding]:
    for folder in folders:
        broken = [file for file in folder.files if file.problem]
        if not broken:
            continue
        lines = [f"\n    {file.path}: {file.problem}" for file in broken[:_FILES_LISTED]]
        if len(broken) > len(lines):
            lines.append(f"\n    and {len(broken) - len(lines)} more")
        who = (
            "training refuses them"
            if folder.is_training
            else "translation and evaluation refuse them"
        )
        text = f"{folder.name}: {_files(len(broken), 'file')} cannot be used; {who}. Remove or mend:{''.join(lines)}"
        yield Finding("error" if folder.is_training else "warning", text)


def _look_for_kinds(folders: Sequence[Folder], crop_size_px: int) -> Iterator[Finding]:
    kinds: list[tuple[Callable[[ImageReport, image_io.ImageInfo], bool], str]] = [
        (
            lambda file, _: file.contrast < FLAT_CONTRAST,
            "flat, one color without detail, which instance normalization turns into noise. Leave "
            "them out",
        ),
        (
            lambda _, info: min(info.width, info.height) < crop_size_px,
            f"smaller than the crop of {crop_size_px} px, so enlarged and blurred in training. "
            "Take larger ones, or train with smaller --data.load_size_px and --data.crop_size_px",
        ),
        (
            lambda _, info: info.has_alpha,
            "stored with transparency, which is laid on white. Flatten on another color if white "
            "is wrong",
        ),
        (
            lambda _, info: info.mode.startswith("CMYK"),
            "in CMYK, turned into RGB without the printer's color profile. Convert to RGB if "
            "colors matter",
        ),
    ]
    for folder in folders:
        for is_kind, text in kinds:
            found = [file for file in folder.files if file.info and is_kind(file, file.info)]
            if found:
                of_all = f"{len(found)} of {_files(len(folder.files))} {'is' if len(found) == 1 else 'are'}"
                yield Finding("warning", f"{folder.name}: {of_all} {text}: {folder.names(found)}.")


def _look_for_mixtures(folders: Sequence[Folder], _: int) -> Iterator[Finding]:
    for domain in ("X", "Y"):
        own = [folder for folder in folders if folder.domain == domain]
        infos = [info for folder in own for info in folder.infos]
        depths = Counter("8-bit" if info.bits == 8 else "deeper" for info in infos)
        if len(depths) > 1:
            mixed = " and ".join(f"{count} {depth}" for depth, count in depths.items())
            yield Finding(
                "warning",
                f"Domain {domain} mixes {mixed} images; all are brought to 16 bits. Make sure that "
                "white means white in both kinds.",
            )
        colors = Counter(
            "gray" if info.channels - info.has_alpha == 1 else "color" for info in infos
        )
        if len(colors) > 1 and own[0].channels == 3:
            mixed = " and ".join(f"{count} {color}" for color, count in colors.items())
            yield Finding(
                "warning",
                f"Domain {domain} mixes {mixed} images; a generator may learn to drop color. "
                f"Leave one kind out.",
            )
        deep = [file for folder in own for file in folder.files if file.info and file.info.bits > 8]
        if deep and max(file.brightest for file in deep) < DARK_SHARE:
            share = max(file.brightest for file in deep)
            yield Finding(
                "warning",
                f"Domain {domain}: no deep image goes above {share:.1%} of white, so all look "
                "nearly black. If the data has fewer bits (12, say), scale it to 16, or declare "
                "MaxSampleValue in TIFF.",
            )


def _look_for_duplicates(folders: Sequence[Folder], _: int) -> Iterator[Finding]:
    places: dict[bytes, list[tuple[Folder, ImageReport]]] = defaultdict(list)
    for folder in folders:
        for file in folder.files:
            if file.info:
                places[file.digest].append((folder, file))
    groups: dict[str, list[str]] = defaultdict(list)
    for found in places.values():
        if len(found) < 2:
            continue
        if len({folder.domain for folder, _ in found}) > 1:
            harm = "in both domains, which teaches to change nothing. Leave out of one"
        elif len({folder.is_training for folder, _ in found}) > 1:
            harm = "in training and in test, which flatters the scores. Leave out of one"
        else:
            harm = "more than once in a folder, and count that often. Keep one of each"
        same = [
            f"{folder.name}/{file.path.relative_to(folder.path).as_posix()}"
            for folder, file in found
        ]
        groups[harm].append(" = ".join(same))
    for harm, same in groups.items():
        shown = [
            *same[:_NAMES_SHOWN],
            *([f"{len(same) - _NAMES_SHOWN} more"] if len(same) > _NAMES_SHOWN else []),
        ]
        verb = "is" if len(same) == 1 else "are"
        yield Finding("warning", f"{_files(len(same))} {verb} {harm}: {', '.join(shown)}.")


def _look_at_counts(folders: Sequence[Folder], _: int) -> Iterator[Finding]:
    counts = {
        folder.name: len(folder.infos) for folder in folders if folder.is_training and folder.infos
    }
    if len(counts) < 2:
        return
    small, large = sorted(counts, key=lambda name: counts[name])
    if counts[large] >= UNEVEN_COUNTS * counts[small]:
        times = counts[large] / counts[small]
        yield Finding(
            "warning",
            f"{large} has {counts[large]} images and {small} only {counts[small]}, each of which "
            f"is shown {times:.0f} times an epoch. More images in {small} would help.",
        )


CHECKS = (
    _look_for_images,
    _look_for_unreadable,
    _look_for_kinds,
    _look_for_mixtures,
    _look_for_duplicates,
    _look_at_counts,
)
"""Each takes all folders and the crop's side, and gives findings."""
