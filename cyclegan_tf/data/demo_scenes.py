"""One little scene of the demo data, painted as world X (summer, plain coats) or world Y (autumn,
striped coats).

Both worlds are one drawing: `Scene` holds geometry and color scalars, and `PALETTE` is all that
differs. Each scalar picks a point between two colors, so each world tells everything that the other
shows. Stripes run along the body at
fixed distances below its upper outline, and as rings around the legs: what a network must know to
  place them is near.

Lengths are in image widths (x to the right, y downward), so a scene looks the same at every size.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

World: TypeAlias = Literal["x", "y"]
Floats: TypeAlias = NDArray[np.floating]
Point: TypeAlias = tuple[float, float]

# name -> world -> colors (sRGB) at scalar 0 and 1. The order of brightness is the same in both
# worlds, lest a network trained without pairs finds a swapped assignment (say, sky for ground) just
# as good as the true one.
PALETTE: dict[str, dict[World, tuple[tuple[int, int, int], tuple[int, int, int]]]] = {
    "zenith": {"x": ((74, 152, 222), (116, 190, 236)), "y": ((240, 184, 158), (246, 212, 176))},
    "skyline": {"x": ((190, 226, 244), (214, 238, 244)), "y": ((255, 230, 204), (255, 242, 216))},
    "sun": {"x": ((255, 224, 110), (255, 238, 160)), "y": ((255, 190, 96), (255, 214, 120))},
    "cloud": {"x": ((240, 247, 252), (255, 255, 255)), "y": ((255, 238, 228), (255, 248, 240))},
    "ridge": {"x": ((112, 164, 158), (138, 186, 170)), "y": ((198, 148, 150), (214, 168, 158))},
    "meadow": {"x": ((112, 168, 68), (154, 194, 86)), "y": ((218, 172, 84), (236, 200, 116))},
    "tuft": {"x": ((70, 132, 52), (98, 156, 62)), "y": ((178, 124, 54), (204, 152, 74))},
    "petal": {"x": ((250, 226, 84), (255, 255, 250)), "y": ((196, 66, 44), (226, 112, 48))},
    "round": {"x": ((42, 104, 52), (86, 146, 62)), "y": ((180, 60, 42), (222, 116, 46))},
    "conifer": {"x": ((26, 84, 74), (52, 116, 92)), "y": ((112, 62, 92), (146, 92, 108))},
    "trunk": {"x": ((92, 64, 48), (112, 82, 60)), "y": ((92, 64, 60), (112, 82, 72))},
    "coat_light": {"x": ((100, 48, 28), (184, 108, 54)), "y": ((232, 214, 192), (255, 248, 232))},
    "coat_band": {"x": ((100, 48, 28), (184, 108, 54)), "y": ((78, 54, 70), (126, 98, 110))},
    "dark": {"x": ((44, 28, 28), (70, 46, 40)), "y": ((48, 36, 50), (78, 60, 72))},
}
GIRTH = 0.27  # the trunk's usual radius in units
SOFTNESS = 0.035  # how far, in units, parts of a body melt into each other
STRIPE_PITCH = 0.25  # in units: 8 px for an animal of average size at 128 px
FIRST_STRIPE = 0.45  # the phase on the upper outline; stripes are dark around a half


@dataclass(frozen=True)
class Animal:
    """A hoofed animal seen from the side; angles in radians, `unit` is the length from hip to
    shoulder."""

    foot: Point  # on the ground, below the middle of the body
    unit: float
    facing: int  # 1 looks right, -1 left
    coat: float  # 0 dark to 1 light
    girth: float
    leg: float  # length of the legs in units
    neck: float  # angle above the horizon; negative when grazing
    stride: float
    horns: bool


@dataclass(frozen=True)
class Plant:
    """A tree or a tuft: where it stands, how tall it is, its color scalar and its kind."""

    foot: Point
    height: float
    color: float
    kind: Literal["round", "conifer", "tuft", "petal"]


@dataclass(frozen=True)
class Scene:
    """All that an image shows, in either world; colors are scalars in [0, 1]."""

    horizon: float
    sky: float
    meadow: float
    sun: Point
    clouds: tuple[tuple[float, float, float], ...]  # middle x, bottom y, width
    ridges: tuple[
        tuple[float, float, float, float], ...
    ]  # base y, amplitude, frequency, phase; far to near
    plants: tuple[Plant, ...]  # far to near
    animals: tuple[Animal, ...]  # far to near


def draw_scene_parameters(rng: np.random.Generator) -> Scene:
    """Draws a scene: one animal, or a big and a small one, in a landscape with trees."""
    horizon, facing = rng.uniform(0.46, 0.6), int(rng.choice((-1, 1)))
    animals = [
        _draw_animal(rng, rng.uniform(0.24, 0.3), rng.uniform(0.84, 0.95), facing, rng.random())
    ]
    if rng.random() < 0.45:  # a young one behind its parent
        ahead, turned = 0.5 + facing * rng.uniform(0.35, 0.5), int(rng.choice((-1, 1)))
        animals = [
            _draw_animal(
                rng, rng.uniform(0.15, 0.18), rng.uniform(0.7, 0.78), turned, float(facing < 0)
            )
        ]
        animals += [
            _draw_animal(rng, rng.uniform(0.23, 0.27), rng.uniform(0.86, 0.95), facing, ahead)
        ]
    plants = []
    for depth in sorted(rng.random(rng.integers(3, 7)).tolist()):
        foot, tall = (
            (rng.random(), horizon + 0.02 + 0.1 * depth),
            (0.16 + 0.16 * depth) * rng.uniform(0.9, 1.25),
        )
        plants.append(Plant(foot, tall, _skewed(rng), "round" if rng.random() < 0.6 else "conifer"))
    for _ in range(rng.integers(10, 18)):
        foot = (rng.random(), rng.uniform(horizon + 0.08, 1.0))
        plants.append(
            Plant(
                foot,
                0.04 * foot[1] - 0.01,
                _skewed(rng),
                "petal" if rng.random() < 0.35 else "tuft",
            )
        )
    return Scene(
        horizon=horizon,
        sky=_skewed(rng),
        meadow=_skewed(rng),
        sun=(rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.24)),
        clouds=tuple(
            (rng.random(), rng.uniform(0.1, 0.3), rng.uniform(0.14, 0.3))
            for _ in range(rng.integers(1, 4))
        ),
        ridges=tuple(
            (horizon - 0.05 * far, *rng.uniform((0.02, 5, 0), (0.05, 10, 6)).tolist())
            for far in (3, 2, 1)
        ),
        plants=tuple(plants),
        animals=tuple(animals),
    )


def _skewed(rng: np.random.Generator) -> float:
    # Were the scalars spread evenly, "dark for light" would fit both worlds as well as the true
    # map.
    return float(rng.beta(1.2, 2.4))


def _draw_animal(
    rng: np.random.Generator, unit: float, foot_y: float, facing: int, place: float
) -> Animal:
    """An animal that fits the image: from its left end to its right end as `place` goes from 0 to
    1."""
    before, behind = (1.45, 1.0) if facing < 0 else (1.0, 1.45)
    return Animal(
        foot=(unit * before + place * (1.0 - unit * (before + behind)), foot_y),
        unit=unit,
        facing=facing,
        coat=_skewed(rng),
        girth=rng.uniform(0.9, 1.15),
        leg=rng.uniform(0.85, 1.05),
        neck=rng.uniform(0.5, 1.15) if rng.random() < 0.75 else rng.uniform(-1.1, -0.8),
        stride=rng.uniform(-0.4, 0.4),
        horns=bool(rng.random() < 0.3),
    )


def render(scene: Scene, world: World, size_px: int) -> NDArray[np.uint8]:
    """Paints a scene.

    Args:
      scene: what to show.
      world: "x" for summer and plain coats, "y" for autumn and striped coats.
      size_px: edge length S of the image.
    Returns:
      uint8 (S, S, 3), sRGB, in [0, 255].
    Raises:
      ValueError: the world is unknown or the size below 1.
    """
    canvas = _Canvas(size_px, world)
    _paint_landscape(canvas, scene)
    for plant in scene.plants:
        _paint_plant(canvas, plant)
    for animal in scene.animals:
        _paint_animal(canvas, animal)
    return np.ascontiguousarray(
        np.rint(_clip(canvas.pixels, 255.0)).astype(np.uint8).transpose(1, 2, 0)
    )


def object_mask(scene: Scene, size_px: int) -> NDArray[np.bool_]:
    """Pixels of which an animal covers more than half: bool (S, S)."""
    canvas = _Canvas(size_px, "x")
    for animal in scene.animals:
        for _, cones in _skeleton(animal):
            patch, distance, *_ = _measure(canvas, animal, cones)
            patch.pixels[...] = np.maximum(patch.pixels, distance < 0.0)
    return canvas.pixels[0] > 0.5


class _Patch(NamedTuple):
    window: tuple[slice, slice]
    pixels: Floats  # (3, H, W), a view into the canvas
    x: Floats  # (1, W) pixel centers
    y: Floats  # (H, 1)


class _Canvas:
    """Pixels as (3, S, S): with the channels first, NumPy's inner loops run along rows and are
    twice as fast."""

    def __init__(self, size_px: int, world: World) -> None:
        if size_px < 1 or world not in ("x", "y"):
            raise ValueError(
                f'size_px must be at least 1 and world "x" or "y", got {size_px} and {world!r}.'
            )
        self.size_px, self.world = size_px, world
        self.pixels = np.zeros((3, size_px, size_px), np.float32)
        self._centers = (np.arange(size_px, dtype=np.float32) + 0.5) / size_px

    def patch(self, left: float, top: float, right: float, bottom: float) -> _Patch:
        size = self.size_px
        x0, y0 = (min(max(int(edge * size) - 1, 0), size) for edge in (left, top))
        x1, y1 = (min(max(int(edge * size) + 2, 0), size) for edge in (right, bottom))
        pixels = self.pixels[:, y0:y1, x0:x1]
        return _Patch(
            (slice(y0, y1), slice(x0, x1)),
            pixels,
            self._centers[None, x0:x1],
            self._centers[y0:y1, None],
        )

    def blend(self, patch: _Patch, distance: Floats, color: Floats, opacity: float = 1.0) -> None:
        """Paints where the signed distance is negative, with a soft edge one pixel wide
        (anti-aliasing)."""
        cover = _clip(0.5 - distance * self.size_px)
        patch.pixels[...] += (opacity * cover) * (color - patch.pixels)

    def color(self, name: str, scalar: float) -> Floats:
        """The palette's color at a scalar, float32 (3, 1, 1)."""
        ends = zip(*PALETTE[name][self.world], strict=True)
        return np.array([[[first + scalar * (last - first)]] for first, last in ends], np.float32)


def _clip(values: Floats, top: float = 1.0) -> Floats:  # on small patches much faster than np.clip
    return np.minimum(np.maximum(values, 0.0), top)


def _ball(patch: _Patch, x: float, y: float, radius: float) -> Floats:
    return np.sqrt((patch.x - x) ** 2 + (patch.y - y) ** 2) - radius


def _paint_landscape(canvas: _Canvas, scene: Scene) -> None:
    sky = canvas.patch(0.0, 0.0, 1.0, scene.horizon + 0.02)
    zenith, skyline = canvas.color("zenith", scene.sky), canvas.color("skyline", scene.sky)
    sky.pixels[...] = zenith + _clip(sky.y / scene.horizon) * (skyline - zenith)
    x, y = scene.sun
    patch = canvas.patch(x - 0.2, y - 0.2, x + 0.2, y + 0.2)
    distance, sun = _ball(patch, x, y, 0.05), canvas.color("sun", scene.sky)
    patch.pixels[...] += (0.35 * _clip(1.0 - distance / 0.15) ** 2) * (sun - patch.pixels)
    canvas.blend(patch, distance, sun)
    for x, y, width in scene.clouds:
        patch = canvas.patch(x - 0.6 * width, y - 0.4 * width, x + 0.6 * width, y)
        puffs = (-0.3, 0.06, 0.13), (-0.07, 0.14, 0.2), (0.16, 0.1, 0.16), (0.36, 0.04, 0.1)
        balls = [
            _ball(patch, x + dx * width, y - dy * width, radius * width) for dx, dy, radius in puffs
        ]
        canvas.blend(
            patch,
            np.maximum(np.min(balls, axis=0), patch.y - y),
            canvas.color("cloud", scene.sky),
            0.9,
        )
    meadow, ridge = canvas.color("meadow", scene.meadow), canvas.color("ridge", scene.meadow)
    for nearness, (base, height, frequency, phase) in enumerate(scene.ridges):
        patch = canvas.patch(0.0, base - 1.5 * height, 1.0, scene.horizon + 0.03)
        top = base - height * (
            np.sin(frequency * patch.x + phase) + 0.4 * np.sin(2.3 * frequency * patch.x)
        )
        canvas.blend(
            patch, top - patch.y, ridge + (0.6 * nearness / len(scene.ridges)) * (meadow - ridge)
        )
    patch = canvas.patch(0.0, scene.horizon - 0.02, 1.0, 1.0)
    top = scene.horizon + 0.012 * np.sin(5.0 * patch.x + scene.ridges[0][3])
    depth = _clip((patch.y - scene.horizon) / (1.0 - scene.horizon))
    canvas.blend(patch, top - patch.y, meadow * (1.06 - 0.18 * depth))


def _paint_plant(canvas: _Canvas, plant: Plant) -> None:
    (x, y), tall = plant.foot, plant.height
    patch = canvas.patch(x - 0.7 * tall, y - 1.15 * tall, x + 0.7 * tall, y + 0.3 * tall)
    aside, up = np.abs(patch.x - x), y - patch.y
    color = canvas.color(plant.kind, plant.color)
    if plant.kind in ("round", "conifer"):
        trunk = np.maximum(aside - 0.045 * tall, np.abs(up - 0.2 * tall) - 0.2 * tall)
        canvas.blend(patch, trunk, canvas.color("trunk", plant.color))
    if plant.kind == "round":
        crown = (
            (0.13, 0.5, 0.22, 0.84),
            (-0.13, 0.52, 0.22, 0.92),
            (0, 0.74, 0.25, 1),
            (-0.06, 0.79, 0.16, 1.12),
        )
        for dx, dy, radius, tone in crown:
            canvas.blend(
                patch, _ball(patch, x + dx * tall, y - dy * tall, radius * tall), color * tone
            )
    elif plant.kind == "conifer":
        color = color * np.where(patch.x < x, np.float32(1.1), np.float32(0.92))
        for low, high, slope, tone in (
            (0.14, 0.64, 0.56, 0.9),
            (0.38, 0.9, 0.44, 1.0),
            (0.64, 1.15, 0.33, 1.1),
        ):
            flank = (aside + slope * (up - high * tall)) / math.hypot(1.0, slope)
            canvas.blend(patch, np.maximum(flank, low * tall - up), color * tone)
    elif plant.kind == "tuft":
        blades = np.minimum(aside, np.abs(aside - 0.6 * up)) - 0.14 * (tall - up)
        canvas.blend(patch, np.maximum(blades, -up), color, 0.8)
    else:
        canvas.blend(patch, _ball(patch, x, y, 0.32 * tall), color)


class _Cone(NamedTuple):
    """A stick with round ends, in the animal's frame: units, x toward its nose, y upward from its
    feet."""

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
) -> list[_Cone]:
    top = (x, animal.leg + 0.1 - drop)
    half = 0.5 * (top[1] - 0.05) / math.cos(swing)
    knee = _reach(top, swing + bend - 0.5 * math.pi, half)
    hoof = (knee[0] + half * math.sin(swing - bend), 0.05)
    count = (
        FIRST_STRIPE + (GIRTH * animal.girth + drop) / STRIPE_PITCH
    )  # the rings carry on the trunk's stripes
    upper = _Cone(top, knee, thick, 0.095, (count, count + 1.5))
    return [upper, _Cone(knee, hoof, 0.085, 0.075, (count + 1.5, count + 3.0), 0.8)]


def _skeleton(animal: Animal) -> list[tuple[float, list[_Cone]]]:
    """The animal's layers from far to near, each with its brightness."""
    back, girth, swing = animal.leg + 0.1, GIRTH * animal.girth, animal.stride
    base = (0.52, back + 0.06)
    poll = _reach(base, animal.neck, 0.62)
    droop = 0.3 * animal.neck - 0.8  # the head's angle
    brow = _reach(poll, droop + 1.9, 0.09)
    dock = (-0.5 - 0.8 * girth, back + 0.12)
    hock = (dock[0] - 0.14, back - 0.18)
    tail = [
        _Cone(dock, hock, 0.05, 0.045),
        _Cone(hock, _reach(hock, -1.65, 0.27), 0.05, 0.075, dark_from=-9.0),
    ]
    far = _leg(animal, -0.6, 0.1, 0.17, -swing, 0.1) + _leg(animal, 0.42, 0.1, 0.14, swing, -0.06)
    far += [_Cone(brow, _reach(brow, droop + 1.75, 0.2), 0.06, 0.02)]
    near = [
        _Cone((-0.5, back), (0.46, back - 0.02), 1.04 * girth, girth),
        _Cone(base, poll, 0.23, 0.13),
    ]
    ear = _Cone(brow, _reach(brow, droop + 2.25, 0.2), 0.06, 0.02)
    near += [_Cone(poll, _reach(poll, droop, 0.36), 0.135, 0.09, dark_from=0.78), ear]
    near += _leg(animal, -0.52, 0.06, 0.22, swing, 0.12) + _leg(
        animal, 0.42, 0.1, 0.16, -swing, -0.06
    )
    crest = animal.neck + 0.5 * math.pi
    mane = [_Cone(_reach(base, crest, 0.2), _reach(poll, crest, 0.11), 0.07, 0.08, dark_from=-9.0)]
    for angle in (droop + 1.4, droop + 1.85) if animal.horns else ():
        mane += [_Cone(brow, _reach(brow, angle, 0.4), 0.045, 0.01, dark_from=-9.0)]
    eye = _Cone(
        _reach(poll, droop + 0.5, 0.11),
        _reach(poll, droop + 0.5, 0.12),
        0.035,
        0.035,
        dark_from=-9.0,
    )
    return [(0.84, far), (1.0, tail + mane), (1.0, near), (1.0, [eye])]


def _paint_animal(canvas: _Canvas, animal: Animal) -> None:
    (x, y), unit = animal.foot, animal.unit
    patch = canvas.patch(x - 0.95 * unit, y - 0.15 * unit, x + 0.95 * unit, y + 0.15 * unit)
    radius = ((patch.x - x) / (0.95 * unit)) ** 2 + ((patch.y - y) / (0.13 * unit)) ** 2
    patch.pixels[...] *= 1.0 - 0.35 * _clip(1.0 - radius)
    dark = canvas.color("dark", animal.coat)
    for brightness, cones in _skeleton(animal):
        patch, distance, phase, lit, darkness = _measure(canvas, animal, cones)
        light, band = (canvas.color(f"coat_{part}", animal.coat) for part in ("light", "band"))
        stripes = _clip(
            0.5 - (np.abs(phase % 1.0 - 0.5) - 0.21) * (STRIPE_PITCH * unit * canvas.size_px)
        )
        color = light + stripes * (band - light)
        color += darkness * (dark - color)
        canvas.blend(patch, distance, color * (brightness * (0.98 + 0.14 * lit)))


def _measure(
    canvas: _Canvas, animal: Animal, cones: list[_Cone]
) -> tuple[_Patch, Floats, Floats, Floats, Floats]:
    """A smooth union of cones: signed distance (image widths), stripe phase, light and darkness,
    each (H, W).

    The soft minimum's weights also blend the phases, so stripes bend where parts of the body meet.
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
        share = _clip(along / length)
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
            darkness += weight * _clip(0.5 + (along - dark_from * length) * (unit * canvas.size_px))
    patch = canvas.patch(*np.min(boxes, axis=0)[:2].tolist(), *np.max(boxes, axis=0)[2:].tolist())
    total, phase, lit, darkness = sums[(slice(None), *patch.window)]
    total = np.maximum(total, 1e-6)
    return patch, np.log(total) * (-SOFTNESS * unit), phase / total, lit / total, darkness / total
