"""The model: one training step over two generators and two discriminators, and its parts.

>>> from cyclegan_tf.model import CycleGAN
"""

from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.model.loss_weights import PAPER_LOSS_WEIGHTS

__all__ = ["PAPER_LOSS_WEIGHTS", "CycleGAN"]
