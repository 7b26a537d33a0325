"""An experiment as frozen dataclasses, its checks, and its YAML files.

>>> from cyclegan_tf.config import Experiment
>>> Experiment().data.crop_size_px
256
"""

from cyclegan_tf.config.experiment import SECTIONS, Experiment

__all__ = ["SECTIONS", "Experiment"]
