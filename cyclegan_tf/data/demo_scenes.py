"""One little scene of the demo data, painted as world X or world Y.

X is summer with plain coats, Y autumn with striped coats.

Both worlds are one drawing: `Scene` holds geometry and color scalars, and the palette is all that
differs.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cyclegan_tf.data.demo_animals import Animal, draw_animal, measure, paint_animal, skeleton
from cyclegan_tf.data.demo_canvas import Canvas, Point, World, ball, clip, skewed


@dataclass(frozen=True)
class Plant:
    """A tree or a tuft: where it stands, how tall it is, its color scalar and its kind.

    Example:
      >>> Plant(foot=(0.3, 0.7), height=0.2, color=0.5, kind="conifer")
    """

    foot: Point
    height: float
    color: float
    kind: Literal["round", "conifer", "tuft", "petal"]


@dataclass(frozen=True)
class Scene:
    """All that an image shows, in either world; colors are scalars in [0, 1].

    Example:
      >>> scene = draw_scene_parameters(np.random.default_rng(0))
      >>> summer, autumn = render(scene, "x", 128), render(scene, "y", 128)
    """

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
    """Draw a scene: one animal, or a big and a small one, in a landscape with trees."""
    horizon, facing = rng.uniform(0.46, 0.6), int(rng.choice((-1, 1)))
    animals = [
        draw_animal(rng, rng.uniform(0.24, 0.3), rng.uniform(0.84, 0.95), facing, rng.random())
    ]
    if rng.random() < 0.45:  # a young one behind its parent
        ahead, turned = 0.5 + facing * rng.uniform(0.35, 0.5), int(rng.choice((-1, 1)))
        animals = [
            draw_animal(
                rng, rng.uniform(0.15, 0.18), rng.uniform(0.7, 0.78), turned, float(facing < 0)
            )
        ]
        animals += [
            draw_animal(rng, rng.uniform(0.23, 0.27), rng.uniform(0.86, 0.95), facing, ahead)
        ]
    plants = []
    for depth in sorted(rng.random(rng.integers(3, 7)).tolist()):
        foot, tall = (
            (rng.random(), horizon + 0.02 + 0.1 * depth),
            (0.16 + 0.16 * depth) * rng.uniform(0.9, 1.25),
        )
        plants.append(Plant(foot, tall, skewed(rng), "round" if rng.random() < 0.6 else "conifer"))
    for _ in range(rng.integers(10, 18)):
        foot = (rng.random(), rng.uniform(horizon + 0.08, 1.0))
        plants.append(
            Plant(
                foot,
                0.04 * foot[1] - 0.01,
                skewed(rng),
                "petal" if rng.random() < 0.35 else "tuft",
            )
        )
    return Scene(
        horizon=horizon,
        sky=skewed(rng),
        meadow=skewed(rng),
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


def render(scene: Scene, world: World, size_px: int) -> NDArray[np.uint8]:
    """Paint a scene.

    Args:
      scene: what to show.
      world: "x" for summer and plain coats, "y" for autumn and striped coats.
      size_px: edge length S of the image.
    Returns:
      uint8 (S, S, 3), sRGB, in [0, 255].
    Raises:
      ValueError: the world is unknown or the size below 1.
    """
    canvas = Canvas(size_px, world)
    _paint_landscape(canvas, scene)
    for plant in scene.plants:
        _paint_plant(canvas, plant)
    for animal in scene.animals:
        paint_animal(canvas, animal)
    return np.ascontiguousarray(
        np.rint(clip(canvas.pixels, 255.0)).astype(np.uint8).transpose(1, 2, 0)
    )


def object_mask(scene: Scene, size_px: int) -> NDArray[np.bool_]:
    """Find the pixels of which an animal covers more than half: bool (S, S)."""
    canvas = Canvas(size_px, "x")
    for animal in scene.animals:
        for _, cones in skeleton(animal):
            patch, distance, *_ = measure(canvas, animal, cones)
            patch.pixels[...] = np.maximum(patch.pixels, distance < 0.0)
    return canvas.pixels[0] > 0.5


def _paint_landscape(canvas: Canvas, scene: Scene) -> None:
    sky = canvas.patch(0.0, 0.0, 1.0, scene.horizon + 0.02)
    zenith, skyline = canvas.color("zenith", scene.sky), canvas.color("skyline", scene.sky)
    sky.pixels[...] = zenith + clip(sky.y / scene.horizon) * (skyline - zenith)
    x, y = scene.sun
    patch = canvas.patch(x - 0.2, y - 0.2, x + 0.2, y + 0.2)
    distance, sun = ball(patch, x, y, 0.05), canvas.color("sun", scene.sky)
    patch.pixels[...] += (0.35 * clip(1.0 - distance / 0.15) ** 2) * (sun - patch.pixels)
    canvas.blend(patch, distance, sun)
    for x, y, width in scene.clouds:
        patch = canvas.patch(x - 0.6 * width, y - 0.4 * width, x + 0.6 * width, y)
        puffs = (-0.3, 0.06, 0.13), (-0.07, 0.14, 0.2), (0.16, 0.1, 0.16), (0.36, 0.04, 0.1)
        balls = [
            ball(patch, x + dx * width, y - dy * width, radius * width) for dx, dy, radius in puffs
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
    depth = clip((patch.y - scene.horizon) / (1.0 - scene.horizon))
    canvas.blend(patch, top - patch.y, meadow * (1.06 - 0.18 * depth))


def _paint_plant(canvas: Canvas, plant: Plant) -> None:
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
                patch, ball(patch, x + dx * tall, y - dy * tall, radius * tall), color * tone
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
        canvas.blend(patch, ball(patch, x, y, 0.32 * tall), color)
