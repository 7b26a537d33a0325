"""The canvas of the demo scenes: the palette of both worlds, soft edges, signed distances.

Each color scalar picks a point between two colors of the palette, so each world shows everything
that the other shows. Lengths are in image widths (x to the right, y downward), so a scene looks the
same at every size.
"""

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


class Patch(NamedTuple):
    """A part of a canvas.

    Example:
      >>> patch = Canvas(64, "x").patch(0.25, 0.25, 0.75, 0.75)
      >>> patch.pixels[...] = 255.0
    """

    window: tuple[slice, slice]
    pixels: Floats  # (3, H, W), a view into the canvas
    x: Floats  # (1, W) pixel centers
    y: Floats  # (H, 1)


class Canvas:
    """Pixels as (3, S, S): with the channels first, NumPy is twice as fast as with them last.

    Args:
      size_px: edge length S.
      world: whose palette is used.

    Raises:
      ValueError: the world is unknown or the size below 1.

    Example:
      >>> canvas = Canvas(64, "x")
      >>> patch = canvas.patch(0.0, 0.0, 1.0, 1.0)
      >>> canvas.blend(patch, ball(patch, 0.5, 0.5, 0.2), canvas.color("sun", 0.5))
    """

    def __init__(self, size_px: int, world: World) -> None:
        if size_px < 1 or world not in ("x", "y"):
            raise ValueError(
                f'size_px must be at least 1 and world "x" or "y", got {size_px} and {world!r}.'
            )
        self.size_px, self.world = size_px, world
        self.pixels = np.zeros((3, size_px, size_px), np.float32)
        self._centers = (np.arange(size_px, dtype=np.float32) + 0.5) / size_px

    def patch(self, left: float, top: float, right: float, bottom: float) -> Patch:
        """Give the part of the canvas that covers a rectangle, a pixel wider on each side.

        Args:
          left: in image widths, as all four.
          top: above `bottom`.
          right: right of `left`.
          bottom: the lower edge.
        """
        size = self.size_px
        x0, y0 = (min(max(int(edge * size) - 1, 0), size) for edge in (left, top))
        x1, y1 = (min(max(int(edge * size) + 2, 0), size) for edge in (right, bottom))
        pixels = self.pixels[:, y0:y1, x0:x1]
        return Patch(
            (slice(y0, y1), slice(x0, x1)),
            pixels,
            self._centers[None, x0:x1],
            self._centers[y0:y1, None],
        )

    def blend(self, patch: Patch, distance: Floats, color: Floats, opacity: float = 1.0) -> None:
        """Paint where the signed distance is negative, with a soft edge one pixel wide.

        Args:
          patch: where.
          distance: (H, W), in image widths.
          color: float32 (3, 1, 1) or (3, H, W).
          opacity: 0 to 1.
        """
        cover = clip(0.5 - distance * self.size_px)
        patch.pixels[...] += (opacity * cover) * (color - patch.pixels)

    def color(self, name: str, scalar: float) -> Floats:
        """Give the palette's color at a scalar, float32 (3, 1, 1)."""
        ends = zip(*PALETTE[name][self.world], strict=True)
        return np.array([[[first + scalar * (last - first)]] for first, last in ends], np.float32)


def clip(values: Floats, top: float = 1.0) -> Floats:
    """Clip to [0, top]; on small patches much faster than np.clip."""
    return np.minimum(np.maximum(values, 0.0), top)


def ball(patch: Patch, x: float, y: float, radius: float) -> Floats:
    """Measure the signed distance to a disc, (H, W).

    Args:
      patch: where.
      x: the middle, in image widths.
      y: likewise.
      radius: likewise.
    """
    return np.sqrt((patch.x - x) ** 2 + (patch.y - y) ** 2) - radius


def skewed(rng: np.random.Generator) -> float:
    """Draw a color scalar in [0, 1], rather dark than light."""
    # Were the scalars spread evenly, "dark for light" would fit both worlds as well as the true
    # map.
    return float(rng.beta(1.2, 2.4))
