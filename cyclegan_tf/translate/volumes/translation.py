"""Translates one volume slice by slice; voxels wait on the disk, not in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cyclegan_tf.images.ranges import RangePair
from cyclegan_tf.translate.translator import Translator
from cyclegan_tf.volumes.slices import Slices
from cyclegan_tf.volumes.volume import Volume


@dataclass(frozen=True)
class VolumeTranslator:
    """A generator, ready for volumes.

    Along several axes each voxel is the mean of its translations.

    Attributes:
      translator: of the network.
      axes: that volumes are cut along.
      neighbors: how many slices on each side the network sees; the middle one is taken.
      at_once: slices given to the network together.

    Example:
      >>> translate = VolumeTranslator(translator, ranges, ("axial",))
      >>> for _ in translate.steps(Path("ct.nii.gz"), Path("mr.nii.gz")):
      ...     pass  # a slice is done
    """

    translator: Translator
    ranges: RangePair
    axes: Sequence[str]
    neighbors: int = 0
    at_once: int = 1

    def count(self, volume: Volume) -> int:
        """Count the slices of a volume along all axes."""
        return sum(len(Slices(volume, axis)) for axis in self.axes)
