"""The built-in demo data set: X shows plain animals in summer, Y striped ones in autumn.

The training halves show different scenes (unpaired), or on request the same. The test split shows
each scene in both worlds, so that translations can be scored against the truth. Images are rendered
on demand; nothing is stored or downloaded.
"""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cyclegan_tf.data.demo_scenes import Scene, draw_scene_parameters, object_mask, render

Stream: TypeAlias = Literal["x", "y", "test"]

TRAIN_IMAGES = 400  # of each domain
TEST_IMAGES = 60  # of each domain, in pairs
SIZE_PX = 128

_STREAMS: dict[Stream, int] = {"x": 0, "y": 1, "test": 2}


def train_image(
    domain: Literal["x", "y"],
    index: int,
    size_px: int,
    seed: int = 0,
    scenes: Literal["x", "y"] | None = None,
) -> NDArray[np.uint8]:
    """A training image; the scenes of X and of Y have nothing in common.

    Args:
      domain: "x" (summer, plain) or "y" (autumn, striped).
      index: which image; the data set's own are 0 to TRAIN_IMAGES - 1, further ones are as good.
      size_px: edge length S.
      seed: another seed is another data set.
      scenes: whose scenes are shown; the domain's own when not given.
    Returns:
      uint8 (S, S, 3), sRGB, in [0, 255].
    Raises:
      ValueError: the domain is neither "x" nor "y", or a number is out of range.
    """
    if domain not in ("x", "y"):
        raise ValueError(f'domain must be "x" or "y", got {domain!r}.')
    return render(_scene(scenes or domain, index, seed), domain, size_px)


def test_pair(  # not a test of pytest's
    index: int,
    size_px: int,
    seed: int = 0,  # noqa: PT028
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
    """One test scene in both worlds, and where its animals are.

    Args:
      index: which scene; the data set's own are 0 to TEST_IMAGES - 1.
      size_px: edge length S.
      seed: another seed is another data set.
    Returns:
      The image in X and the one in Y, uint8 (S, S, 3), and the animals' mask, bool (S, S).
    Raises:
      ValueError: a number is out of range.
    """
    scene = _scene("test", index, seed)
    return render(scene, "x", size_px), render(scene, "y", size_px), object_mask(scene, size_px)


def test_image(  # not a test of pytest's
    domain: Literal["x", "y"],
    index: int,
    size_px: int,
    seed: int = 0,  # noqa: PT028
) -> NDArray[np.uint8]:
    """One side of `test_pair`, in half the time.

    Args:
      domain: "x" or "y".
      index: which scene.
      size_px: edge length S.
      seed: another seed is another data set.
    Returns:
      uint8 (S, S, 3), sRGB, in [0, 255].
    Raises:
      ValueError: a number is out of range.
    """
    return render(_scene("test", index, seed), domain, size_px)


def _scene(stream: Stream, index: int, seed: int) -> Scene:
    if index < 0 or seed < 0:
        raise ValueError(f"index and seed must not be negative, got index {index} and seed {seed}.")
    sequence = np.random.SeedSequence(seed, spawn_key=(_STREAMS[stream], index))
    return draw_scene_parameters(np.random.default_rng(sequence))
