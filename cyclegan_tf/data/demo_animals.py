"""The animals of the demo scenes: bodies of round cones, plain coats in X, striped ones in Y.

Stripes run along the body at fixed distances below its upper outline, and as rings around the legs:
what a network must know to place them is near.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cyclegan_tf.data.demo_canvas import Canvas, Floats, Patch, Point, clip, skewed

GIRTH = 0.27  # the trunk's usual radius in units
SOFTNESS = 0.035  # how far, in units, parts of a body melt into each other
STRIPE_PITCH = 0.25  # in units: 8 px for an animal of average size at 128 px
FIRST_STRIPE = 0.45  # the phase on the upper outline; stripes are dark around a half


@dataclass(frozen=True)
class Animal:
    """A hoofed animal seen from the side.

    Angles are in radians; `unit` is the length from hip to shoulder.

    Example:
      >>> animal = draw_animal(np.random.default_rng(0), 0.3, 0.9, facing=1, place=0.5)
      >>> paint_animal(Canvas(128, "y"), animal)
    """

    foot: Point  # on the ground, below the middle of the body
    unit: float
    facing: int  # 1 looks right, -1 left
    coat: float  # 0 dark to 1 light
    girth: float
    leg: float  # length of the legs in units
    neck: float  # angle above the horizon; negative when grazing
    stride: float
    horns: bool


def draw_animal(
    rng: np.random.Generator, unit: float, foot_y: float, facing: int, place: float
) -> Animal:
    """Draw an animal that fits into the image.

    Args:
      rng: decides all that the arguments do not.
      unit: length from hip to shoulder, in image widths.
      foot_y: where it stands.
      facing: 1 looks right, -1 left.
      place: 0 at the left end of the image to 1 at its right end.
    """
    before, behind = (1.45, 1.0) if facing < 0 else (1.0, 1.45)
    return Animal(
        foot=(unit * before + place * (1.0 - unit * (before + behind)), foot_y),
        unit=unit,
        facing=facing,
        coat=skewed(rng),
        girth=rng.uniform(0.9, 1.15),
        leg=rng.uniform(0.85, 1.05),
        neck=rng.uniform(0.5, 1.15) if rng.random() < 0.75 else rng.uniform(-1.1, -0.8),
        stride=rng.uniform(-0.4, 0.4),
        horns=bool(rng.random() < 0.3),
    )


class Cone(NamedTuple):
    """A stick with round ends, in the animal's frame.

    Lengths are in units, x toward its nose, y upward from its feet.

    Example:
      >>> Cone((0.0, 1.0), (0.5, 1.0), r0=0.2, r1=0.1)
    """

    start: Point
    end: Point
    r0: float
    r1: float
    rings: Point | None = (
        None  # stripes counted up to its start and end; None for stripes along its upper outline
    )
    dark_from: float = 9.0  # the share of its length from which it is dark: hooves, muzzle


def _reach(start: Point, angle: float, far: float) -> Point:
    return start[0] + far * math.cos(angle), start[1] + far * math.sin(angle)


def _leg(
    animal: Animal, x: float, drop: float, thick: float, swing: float, bend: float
) -> list[Cone]:
    top = (x, animal.leg + 0.1 - drop)
    half = 0.5 * (top[1] - 0.05) / math.cos(swing)
    knee = _reach(top, swing + bend - 0.5 * math.pi, half)
    hoof = (knee[0] + half * math.sin(swing - bend), 0.05)
    count = (
        FIRST_STRIPE + (GIRTH * animal.girth + drop) / STRIPE_PITCH
    )  # the rings carry on the trunk's stripes
    upper = Cone(top, knee, thick, 0.095, (count, count + 1.5))
    return [upper, Cone(knee, hoof, 0.085, 0.075, (count + 1.5, count + 3.0), 0.8)]


def skeleton(animal: Animal) -> list[tuple[float, list[Cone]]]:
    """Build the animal's layers from far to near, each with its brightness."""
    back, girth, swing = animal.leg + 0.1, GIRTH * animal.girth, animal.stride
    base = (0.52, back + 0.06)
    poll = _reach(base, animal.neck, 0.62)
    droop = 0.3 * animal.neck - 0.8  # the head's angle
    brow = _reach(poll, droop + 1.9, 0.09)
    dock = (-0.5 - 0.8 * girth, back + 0.12)
    hock = (dock[0] - 0.14, back - 0.18)
    tail = [
        Cone(dock, hock, 0.05, 0.045),
        Cone(hock, _reach(hock, -1.65, 0.27), 0.05, 0.075, dark_from=-9.0),
    ]
    far = _leg(animal, -0.6, 0.1, 0.17, -swing, 0.1) + _leg(animal, 0.42, 0.1, 0.14, swing, -0.06)
    far += [Cone(brow, _reach(brow, droop + 1.75, 0.2), 0.06, 0.02)]
    near = [
        Cone((-0.5, back), (0.46, back - 0.02), 1.04 * girth, girth),
        Cone(base, poll, 0.23, 0.13),
    ]
    ear = Cone(brow, _reach(brow, droop + 2.25, 0.2), 0.06, 0.02)
    near += [Cone(poll, _reach(poll, droop, 0.36), 0.135, 0.09, dark_from=0.78), ear]
    near += _leg(animal, -0.52, 0.06, 0.22, swing, 0.12) + _leg(
        animal, 0.42, 0.1, 0.16, -swing, -0.06
    )
    crest = animal.neck + 0.5 * math.pi
    mane = [Cone(_reach(base, crest, 0.2), _reach(poll, crest, 0.11), 0.07, 0.08, dark_from=-9.0)]
    for angle in (droop + 1.4, droop + 1.85) if animal.horns else ():
        mane += [Cone(brow, _reach(brow, angle, 0.4), 0.045, 0.01, dark_from=-9.0)]
    eye = Cone(
        _reach(poll, droop + 0.5, 0.11),
        _reach(poll, droop + 0.5, 0.12),
        0.035,
        0.035,
        dark_from=-9.0,
    )
    return [(0.84, far), (1.0, tail + mane), (1.0, near), (1.0, [eye])]


def paint_animal(canvas: Canvas, animal: Animal) -> None:
    """Paint an animal and its shadow."""
    (x, y), unit = animal.foot, animal.unit
    patch = canvas.patch(x - 0.95 * unit, y - 0.15 * unit, x + 0.95 * unit, y + 0.15 * unit)
    radius = ((patch.x - x) / (0.95 * unit)) ** 2 + ((patch.y - y) / (0.13 * unit)) ** 2
    patch.pixels[...] *= 1.0 - 0.35 * clip(1.0 - radius)
    dark = canvas.color("dark", animal.coat)
    for brightness, cones in skeleton(animal):
        patch, distance, phase, lit, darkness = measure(canvas, animal, cones)
        light, band = (canvas.color(f"coat_{part}", animal.coat) for part in ("light", "band"))
        stripes = clip(
            0.5 - (np.abs(phase % 1.0 - 0.5) - 0.21) * (STRIPE_PITCH * unit * canvas.size_px)
        )
        color = light + stripes * (band - light)
        color += darkness * (dark - color)
        canvas.blend(patch, distance, color * (brightness * (0.98 + 0.14 * lit)))


def measure(
    canvas: Canvas, animal: Animal, cones: list[Cone]
) -> tuple[Patch, Floats, Floats, Floats, Floats]:
    """Measure a smooth union of cones.

    The soft minimum's weights also blend the phases, so stripes bend where parts of the body meet.

    Args:
      canvas: for its size.
      animal: whose body it is.
      cones: in the animal's frame.

    Returns:
      Where it lies; signed distance (image widths), stripe phase, light and darkness, each (H, W).
    """
    unit, facing, (foot_x, foot_y), boxes = animal.unit, animal.facing, animal.foot, []
    sums = np.zeros((4, canvas.size_px, canvas.size_px), np.float32)
    for (x0, y0), (x1, y1), r0, r1, rings, dark_from in cones:
        fat = max(r0, r1) + 4.5 * SOFTNESS  # farther out, its weight is below 2 % of the outline's
        dx, dy, wide, high = (
            x1 - x0,
            y1 - y0,
            unit * (0.5 * abs(x1 - x0) + fat),
            unit * (0.5 * abs(y1 - y0) + fat),
        )
        x, y = foot_x + facing * unit * 0.5 * (x0 + x1), foot_y - unit * 0.5 * (y0 + y1)
        boxes.append((x - wide, y - high, x + wide, y + high))
        patch = canvas.patch(*boxes[-1])
        right, up = (patch.x - foot_x) * (facing / unit) - x0, (foot_y - patch.y) / unit - y0
        length = math.hypot(dx, dy)
        along, above = (right * dx + up * dy) / length, (up * dx - right * dy) / length
        share = clip(along / length)
        right, up, radius = right - share * dx, up - share * dy, r0 + share * (r1 - r0)
        weight = np.exp((radius - np.sqrt(right**2 + up**2)) / SOFTNESS)
        total, phase, lit, darkness = sums[(slice(None), *patch.window)]
        total += weight
        if rings is None:
            phase += weight * (FIRST_STRIPE + (radius - above) / STRIPE_PITCH)
        else:
            phase += weight * (rings[0] + along * ((rings[1] - rings[0]) / length))
        lit += weight * ((up - 0.4 * facing * right) / radius)
        if dark_from < 1.0:
            darkness += weight * clip(0.5 + (along - dark_from * length) * (unit * canvas.size_px))
    patch = canvas.patch(*np.min(boxes, axis=0)[:2].tolist(), *np.max(boxes, axis=0)[2:].tolist())
    total, phase, lit, darkness = sums[(slice(None), *patch.window)]
    total = np.maximum(total, 1e-6)
    return patch, np.log(total) * (-SOFTNESS * unit), phase / total, lit / total, darkness / total
