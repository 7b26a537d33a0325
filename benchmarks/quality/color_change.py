"""Make an unpaired data set whose truth is known from a folder of photos.

Both domains show the same kind of photo, in other colors. X is one half of the photos as they are;
Y is the OTHER half under a fixed change of color, so no image of trainA has its partner in trainB.
The test split is paired by file stem: testB is the change applied to the
very images of testA. On disk X is trainA/testA, Y is trainB/testB, all PNG.

    python -m benchmarks.quality.color_change photos/train data/color --test photos/test
    python -m benchmarks.quality.color_change photos data/color --count 400 --test_count 40

The change, of values in [0, 1]: a power per channel, a mixing of the channels, another power per
channel. The mixing's weights are not negative and each row sums to 1, so nothing is clipped; it is
not linear, and it has an inverse. The unchanged input scores about 18.6 dB PSNR against the truth
on photos of house fronts.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cyclegan_tf import cli
from cyclegan_tf.atomic import atomic_directory
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError

with suppress_startup_logs():
    import tensorflow as tf

    from cyclegan_tf.images import io as image_io
    from cyclegan_tf.metrics.image_quality import psnr

    tf.constant(0)  # devices tell of themselves at their first use

BEFORE = np.array([0.6, 1.0, 1.6], np.float32)
MIXING = np.array([[0.7, 0.3, 0.0], [0.0, 0.7, 0.3], [0.3, 0.0, 0.7]], np.float32)
AFTER = np.array([0.75, 1.1, 1.05], np.float32)


def change(image: np.ndarray) -> np.ndarray:
    """The fixed change of color: `(MIXING @ v**BEFORE)**AFTER` for each pixel `v` in [0, 1].

    Args:
      image: uint8 (H, W, 3).

    Returns:
      uint8 (H, W, 3), rounded to the nearest level.
    """
    mixed = (image.astype(np.float32) / 255) ** BEFORE @ MIXING.T
    return np.rint(255 * mixed.clip(0, 1) ** AFTER).astype(np.uint8)


def psnr_of_input(images: Sequence[np.ndarray]) -> float:
    """Mean over images (uint8) of the PSNR of the unchanged image against its truth, in dB."""
    return float(np.mean([psnr(image, change(image), 255) for image in images]))


def read(path: Path, size_px: int | None) -> np.ndarray:
    """A photo as uint8 (H, W, 3); with a size, its middle square at that many pixels.

    Raises:
      ImageError: the file cannot be used.
    """
    image = image_io.as_dtype(image_io.read(path, 3), np.uint8)
    if size_px is None:
        return image
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    square = image[top : top + side, left : left + side].astype(np.float32)
    resized = tf.image.resize(square, (size_px, size_px), "area").numpy()
    return np.rint(resized).clip(0, 255).astype(np.uint8)


def chosen(paths: list[Path], count: int | None, what: str) -> list[Path]:
    """`count` of the paths, evenly spread over the list; all of them without a count.

    Args:
      paths: of photos.
      count: how many are wanted, or None.
      what: the option, for the message.

    Raises:
      UserError: there are not so many.
    """
    if count is None:
        return paths
    if not 0 < count <= len(paths):
        raise UserError(
            f"{what}: {count} photos are wanted and {len(paths)} are there; ask for 1 to "
            f"{len(paths)}.",
            field=what,
        )
    return [paths[index * len(paths) // count] for index in range(count)]


def split(
    paths: list[Path], test_paths: list[Path] | None, count: int | None, test_count: int | None
) -> dict:
    """Which photo goes where: the lists "x", "y" (disjoint, every other photo) and "test".

    Args:
      paths: of all photos.
      test_paths: of test photos; None holds `test_count` of `paths`, or a tenth, out first.
      count: photos to train with; None for all.
      test_count: photos to test with.

    Raises:
      UserError: too few photos.
    """
    if test_paths is None:
        if len(paths) < 3:
            raise UserError(
                f"PHOTOS: {len(paths)} photos are too few; x, y and test want one each."
            )
        wanted = max(1, len(paths) // 10) if test_count is None else test_count
        if wanted > len(paths) - 2:
            raise UserError(
                f"--test_count {wanted} of {len(paths)} photos leaves none to train; ask for fewer."
            )
        test = chosen(paths, wanted, "--test_count")
        paths = [path for path in paths if path not in set(test)]
    else:
        test = chosen(test_paths, test_count, "--test_count")
    train = chosen(paths, count, "--count")
    if len(train) < 2 or not test:
        raise UserError("PHOTOS: two photos to train and one to test are the least; give more.")
    return {"x": train[0::2], "y": train[1::2], "test": test}


def write(lists: dict, roots: dict[str, Path], out: Path, size_px: int | None) -> str:
    """Write the four folders, whole or not at all.

    Args:
      lists: paths of the photos of "x", "y" and "test".
      roots: the folder that each list was found in.
      out: the folder to be.
      size_px: see `read`.

    Returns:
      What was written and the PSNR of the unchanged input on the test split, as a sentence.

    Raises:
      UserError: two photos would get the same name, or one cannot be read.
    """
    named = {
        # of photos in subfolders the folder stays in the name
        part: {
            "_".join(path.relative_to(roots[part]).with_suffix("").parts) + ".png": path
            for path in paths
        }
        for part, paths in lists.items()
    }
    for part, paths in lists.items():
        if len(named[part]) < len(paths):
            raise UserError(
                f"{roots[part]}: two photos differ in nothing but the suffix; rename or remove one."
            )
    with atomic_directory(out) as partial:
        tests = []
        for part, folders in (("x", ("trainA",)), ("y", ("trainB",)), ("test", ("testA", "testB"))):
            for name, path in named[part].items():
                photo = read(path, size_px)
                for folder in folders:
                    shown = change(photo) if folder.endswith("B") else photo
                    image_io.save(partial / folder / name, shown)
                if part == "test":
                    tests.append(photo)
        counts = ", ".join(f"{len(lists[part])} {part}" for part in ("x", "y", "test"))
        decibels = f"{psnr_of_input(tests):.2f} dB PSNR (mean over images)"
        text = f"{counts}; unchanged input against the truth: {decibels}"
        (partial / "README.txt").write_text(
            f"Made by benchmarks/quality/color_change.py from {roots['x'].name}: {text}.\n"
        )
    return text


def main(argv: Sequence[str]) -> int:
    """Make the data set and print how far the unchanged input is from the truth."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "photos", type=Path, help="folder of photos, looked through with its subfolders"
    )
    parser.add_argument("out", type=Path, help="the data set; must not exist")
    parser.add_argument("--test", type=Path, help="another folder of photos for the test split")
    parser.add_argument(
        "--count", type=int, help="photos to train on, X and Y together (default: all)"
    )
    parser.add_argument(
        "--test_count", type=int, help="photos to test on (default: all of --test, or a tenth)"
    )
    parser.add_argument(
        "--size", type=int, help="side in px; photos are cut square (default: left as they are)"
    )
    given = parser.parse_args(argv)
    if given.out.exists():
        raise UserError(f"{given.out} exists; name another folder or remove it.")
    if given.size is not None and given.size < 1:
        raise UserError(f"--size {given.size}: a side has 1 px at least.")
    test_paths = image_io.find_images(given.test) if given.test else None
    lists = split(image_io.find_images(given.photos), test_paths, given.count, given.test_count)
    roots = {"x": given.photos, "y": given.photos, "test": given.test or given.photos}
    print(f"{given.out}: {write(lists, roots, given.out, given.size)}")
    return 0


if __name__ == "__main__":
    cli.run(main, sys.argv[1:])
