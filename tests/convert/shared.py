"""What several tests of `convert` use."""

import numpy as np

TINY = (
    "--data.load_size_px=18 --data.crop_size_px=16 --training.pool_size_images=2 "
    "--training.precision=float32"
).split()


def noise(height=16, width=24, channels=3):
    """One image of noise, float32 (1, H, W, C) in [-1, 1]."""
    return np.random.default_rng(2).uniform(-1, 1, (1, height, width, channels)).astype(np.float32)


def names_in(path):
    """Names of a folder's entries, sorted."""
    return sorted(entry.name for entry in path.iterdir())
