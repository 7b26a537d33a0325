"""A VGG16 of a few filters with random weights: the layers of the real one, in milliseconds."""

import numpy as np

WIDTHS = (4, 4, 6, 6, 6, 6, 6, 8, 8, 8, 8, 8, 8)


def convolutions(seed=0, widths=WIDTHS):
    """Kernels (He et al. 2015) and small biases, as `read_convolutions` gives them."""
    rng = np.random.default_rng(seed)
    made, channels = [], 3
    for width in widths:
        scale = np.sqrt(2 / (9 * channels))
        kernel = rng.normal(0, scale, (3, 3, channels, width)).astype(np.float32)
        made.append((kernel, rng.normal(0, 0.1, width).astype(np.float32)))
        channels = width
    return made


def share_objectives(monkeypatch, made):
    """Lets transfers of equal weights share their graphs, whose making takes most of the time.

    Args:
      monkeypatch: of the test.
      made: a dictionary that lives as long as the tests which use one network.
    """
    from cyclegan_tf.stylize import losses, transfer

    def shared(network, *weights):
        return made.setdefault(weights, losses.Objective(network, *weights))

    monkeypatch.setattr(transfer, "Objective", shared)


def save(path, seed=0):
    """Writes them as `np.savez(path, *model.get_weights())` does; returns the path."""
    np.savez(path, *(array for pair in convolutions(seed) for array in pair))
    return path
