"""The checks: what harms training, found in what the examination knows of each image."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from cyclegan_tf.check.folders import Finding, Folder, ImageReport, some
from cyclegan_tf.data import screening
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.folders import describe_others

UNEVEN_COUNTS = 3
"""How many times as large one domain may be before a warning."""

_FILES_LISTED = 100


def _files(count: int, what: str = "image") -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _look_for_images(folders: Sequence[Folder], _: int) -> Iterator[Finding]:
    for folder in folders:
        others = describe_others(folder.ignored)
        if not folder.files:
            known = ", ".join(sorted(image_io.EXTENSIONS))
            held = f" (it holds {others})" if others else ""
            level: Literal["note", "error"] = "error" if folder.is_training else "note"
            yield Finding(level, f"{folder.name} has no images{held}. Put some there: {known}.")
        elif others:
            left_out = sum(folder.ignored.values())
            yield Finding(
                "warning",
                f"{folder.name}: {left_out} of {_files(left_out + len(folder.files), 'file')} "
                f"{'is' if left_out == 1 else 'are'} of kinds that are not read, and left out "
                f"({others}). Convert what are images, and move the rest elsewhere.",
            )
    names = {folder.name for folder in folders}
    for name in ("testA", "testB"):
        if "trainA" in names and name not in names:
            text = f"There is no {name}; training works, but nothing is held out to score it on."
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
        text = f"{folder.name}: {_files(len(broken), 'file')} cannot be used; {who}. Remove or fix:"
        text += "".join(lines)
        if all(file.needs_range for file in broken):
            option = f"--data.range_{folder.domain.lower()}"
            text += f"\nOr take {option} auto, here and in training: the range that they have."
        channels = {file.channels for file in broken} - {None}
        if len(channels) == 1 and not folder.infos:  # not a stray one
            text += f"\nOr read them, here and in training, with {folder.option} {channels.pop()}."
        yield Finding("error" if folder.is_training else "warning", text)


def _look_for_kinds(folders: Sequence[Folder], crop_size_px: int) -> Iterator[Finding]:
    # images that use little of their range have little contrast by that alone
    used = {
        file.path: _narrow_share(folders, folder.domain) or 1.0
        for folder in folders
        for file in folder.files
    }
    kinds: list[tuple[Callable[[ImageReport, image_io.ImageInfo], bool], str]] = [
        (
            lambda file, _: file.contrast < screening.FLAT_CONTRAST * used[file.path],
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
            lambda _, info: info.mode.startswith("CMYK") and not info.profile,
            "in CMYK, turned into RGB without the printer's color profile. Convert to RGB if "
            "colors matter",
        ),
        (
            lambda _, info: info.more_pages,
            "of more than one page or frame, of which only the first is taken. Save each page as "
            "a file to train on all",
        ),
    ]
    for folder in folders:
        if foreign := [file for file in folder.files if file.info and file.info.profile]:
            yield Finding(
                "note",
                f"{folder.name}: {_files(len(foreign))} of {len(folder.files)} with a color "
                f"profile other than sRGB, read into sRGB: {folder.names(foreign)}.",
            )
        for is_kind, text in kinds:
            found = [file for file in folder.files if file.info and is_kind(file, file.info)]
            if found:
                verb = "is" if len(found) == 1 else "are"
                of_all = f"{len(found)} of {_files(len(folder.files))} {verb}"
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
        colors = Counter("gray" if info.is_gray else "color" for info in infos)
        if len(colors) > 1 and own[0].channels == 3:
            mixed = " and ".join(f"{count} {color}" for color, count in colors.items())
            yield Finding(
                "warning",
                f"Domain {domain} mixes {mixed} images; a generator may learn to drop color. "
                f"Leave one kind out.",
            )
        if set(colors) == {"gray"} and own[0].channels == 3:
            yield Finding(
                "note",
                f"All images of domain {domain} are gray, and are read as color, three equal "
                f"channels; {own[0].option} 1 makes its networks gray.",
            )
        if share := _narrow_share(folders, domain):
            yield Finding(
                "warning",
                f"Domain {domain} uses {share:.1%} of its range: take --data.range_"
                f"{domain.lower()} auto, here and in training, which spreads the numbers that "
                "there are. The networks would see nearly one shade.",
            )


def _narrow_share(folders: Sequence[Folder], domain: str) -> float | None:
    """The share of their range that a domain's deep images use, where that is little."""
    own = [folder for folder in folders if folder.domain == domain]
    deep = [file for folder in own for file in folder.files if file.info and file.info.bits > 8]
    if not deep:
        return None
    share = max(file.brightest for file in deep) - min(file.darkest for file in deep)
    return share if 0 < share < screening.NARROW_SHARE else None


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
        groups[harm].append(" = ".join(folder.place(file) for folder, file in found))
    for harm, same in groups.items():
        verb = "is" if len(same) == 1 else "are"
        yield Finding("warning", f"{_files(len(same))} {verb} {harm}: {some(same)}.")


def _look_for_copies(folders: Sequence[Folder], _: int) -> Iterator[Finding]:
    """Test images that are a training image saved again; equal ones are duplicates."""
    for folder in folders:
        if folder.is_training:
            continue
        known = [
            (other.place(file), file.digest, file.thumbnail)
            for other in folders
            if other.is_training and other.domain == folder.domain
            for file in other.files
            if file.thumbnail is not None
        ]
        digests = {digest for _, digest, _ in known}
        find = screening.copy_finder([thumbnail for _, _, thumbnail in known])
        copies = []
        for file in folder.files:
            if file.thumbnail is None or file.digest in digests:
                continue
            if (index := find(file.thumbnail)) is not None:
                copies.append(f"{folder.place(file)} = {known[index][0]}")
        if copies:
            verb = "is a training image" if len(copies) == 1 else "are training images"
            yield Finding(
                "warning",
                f"{_files(len(copies))} of {folder.name} {verb} saved again in another format, "
                f"quality or size, which flatters the scores. Leave out of one: {some(copies)}.",
            )


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
    _look_for_copies,
    _look_at_counts,
)
"""Each takes all folders and the crop's side, and gives findings."""
