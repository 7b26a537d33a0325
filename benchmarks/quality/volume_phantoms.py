"""CT and MR phantoms in NIfTI with a known map between them, and how near translations come.

python -m benchmarks.quality.volume_phantoms write runs/phantoms
python -m benchmarks.quality.volume_phantoms score runs/phantoms/truth runs/phantoms/translated
    python -m benchmarks.quality.volume_phantoms draw runs/volumes.png runs/phantoms/testA mr mr3
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from PIL import Image

SIDE, TRAIN, TEST = 64, 6, 3
SPACING_MM = 3.0
# Hounsfield units and MR signal of air, fat, bone, gray matter, white matter and fluid.
CT_HU = np.array([-1000, -110, 800, 60, 130, 0], np.float32)
MR_SIGNAL = np.array([0, 1400, 120, 700, 1000, 300], np.float32)
_ENLARGED = 3
NOISE = {"ct": 25.0, "mr": 20.0}


def tissues(seed: int) -> np.ndarray:
    """Draw a head of nested, turned ellipsoids: a tissue's number by voxel.

    Args:
      seed: another seed is another person.

    Returns:
      uint8 (SIDE, SIDE, SIDE): x to the right, y to the front, z up.
    """
    rng = np.random.default_rng(seed)
    line = np.linspace(-1, 1, SIDE)
    grid = np.stack(np.meshgrid(line, line, line, indexing="ij"))
    head = rng.uniform([0.62, 0.74, 0.70], [0.72, 0.84, 0.80])
    found = np.zeros(grid.shape[1:], np.uint8)
    for tissue, share in ((1, 1.0), (2, 0.92), (3, 0.82), (4, 0.62)):
        found[_inside(grid, rng, head * share * rng.uniform(0.98, 1.02, 3), 0.03)] = tissue
    for side in (-1, 1):  # ventricles
        center = np.array([side * 0.14, 0.02, 0.05]) + rng.normal(0, 0.02, 3)
        found[_inside(grid, rng, rng.uniform(0.08, 0.16, 3) * [0.8, 2, 1.2], 0, center)] = 5
    for _ in range(rng.integers(3, 7)):  # islands of gray matter
        center = rng.uniform(-0.3, 0.3, 3)
        island = _inside(grid, rng, rng.uniform(0.06, 0.14, 3), 0, center)
        found[island & (found == 4)] = 3
    return found


def _inside(
    grid: np.ndarray,
    rng: np.random.Generator,
    radii: np.ndarray,
    wobble: float,
    center: np.ndarray | float = 0.0,
) -> np.ndarray:
    turn, _ = np.linalg.qr(np.eye(3) + rng.normal(0, 0.08, (3, 3)))
    turn *= np.sign(np.diag(turn))[:, np.newaxis]
    middle = center + rng.normal(0, wobble, 3) / 2
    local = np.einsum("ij,jxyz->ixyz", turn, grid - np.reshape(middle, (3, 1, 1, 1)))
    return (np.square(local / radii.reshape(3, 1, 1, 1))).sum(axis=0) < 1


def volume(seed: int, kind: str, noise: float | None = None) -> np.ndarray:
    """Give the numbers of a phantom.

    Args:
      seed: of the person.
      kind: "ct" or "mr".
      noise: standard deviation; None for that of the kind.

    Returns:
      int16 (SIDE, SIDE, SIDE).
    """
    clean = (CT_HU if kind == "ct" else MR_SIGNAL)[tissues(seed)]
    scale = NOISE[kind] if noise is None else noise
    noisy = clean + np.random.default_rng([seed, kind == "mr"]).normal(0, 1, clean.shape) * scale
    return np.rint(noisy if kind == "ct" else np.abs(noisy)).astype(np.int16)


def write(folder: Path) -> None:
    """Write other people as CT and as MR to train on, and the same people to test on."""
    affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    for number in range(TRAIN):
        _save(folder / "trainA" / f"ct{number}.nii.gz", volume(number, "ct"), affine)
        _save(folder / "trainB" / f"mr{number}.nii.gz", volume(100 + number, "mr"), affine)
    for number in range(TEST):
        person = 200 + number
        name = f"person{number}.nii.gz"
        _save(folder / "testA" / name, volume(person, "ct"), affine)
        _save(folder / "testB" / name, volume(person, "mr"), affine)
        _save(folder / "truth" / name, volume(person, "mr", noise=0.0), affine)


def _save(path: Path, values: np.ndarray, affine: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(values, affine)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)


def score(truth: Path, translated: Path) -> tuple[float, float, float]:
    """Compare translations with the truth of the same names.

    Returns:
      Mean absolute error within the head, in the unit of the files; that between neighboring slices
      (of the differences along z, in which the jumps of a translation slice by slice show); and
      the root of the mean squared error.
    """
    errors, jumps, squares = [], [], []
    for path in sorted(truth.glob("*.nii.gz")):
        wanted, found = _numbers(path), _numbers(translated / path.name)
        head = wanted > 0
        errors.append(np.abs(found - wanted)[head].mean())
        squares.append(np.square(found - wanted)[head].mean())
        both = head[..., 1:] & head[..., :-1]
        jumps.append(np.abs(np.diff(found - wanted))[both].mean())
    return float(np.mean(errors)), float(np.mean(jumps)), float(np.sqrt(np.mean(squares)))


def draw(target: Path, folders: Sequence[Path], name: str = "person0.nii.gz") -> None:
    """Draw the middle axial and coronal slice of one person, a column for each folder.

    Args:
      target: the image file.
      folders: of the CT first, then of MR.
      name: of the volume.
    """
    rows: list[list[np.ndarray]] = [[], []]
    for folder in folders:
        values = _numbers(folder / name)
        low, high = (-300, 500) if values.min() < -100 else (0, 1500)
        gray = np.clip((values - low) / (high - low) * 255, 0, 255).astype(np.uint8)
        middle = SIDE // 2
        rows[0].append(gray[::-1, ::-1, middle].T)
        rows[1].append(gray[::-1, middle, ::-1].T)
    sheet = np.vstack([np.hstack(row) for row in rows])
    size = (sheet.shape[1] * _ENLARGED, sheet.shape[0] * _ENLARGED)
    Image.fromarray(sheet).resize(size, Image.Resampling.NEAREST).save(target, optimize=True)


def _numbers(path: Path) -> np.ndarray:
    image: Any = nibabel.load(path)
    return np.asarray(image.dataobj, np.float64)


def main() -> None:
    """Write phantoms, score translations of them, or draw them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=("write", "score", "draw"))
    parser.add_argument("folders", type=Path, nargs="+")
    arguments = parser.parse_args()
    if arguments.verb == "write":
        write(arguments.folders[0])
        return
    if arguments.verb == "draw":
        draw(arguments.folders[0], arguments.folders[1:])
        return
    truth, *translated = arguments.folders
    for folder in translated:
        error, jump, root = score(truth, folder)
        print(f"{folder}: MAE {error:.1f}, between slices {jump:.1f}, RMSE {root:.1f}")


if __name__ == "__main__":
    main()
