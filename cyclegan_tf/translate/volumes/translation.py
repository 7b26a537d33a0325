"""Translates one volume slice by slice; its voxels wait on the disk, not in memory."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cyclegan_tf.errors import Code, UserError
from cyclegan_tf.images import pixel_values
from cyclegan_tf.images.ranges import Clipped, RangePair, ValueRange
from cyclegan_tf.volumes.opening import VolumeError, open_volume, save_volume
from cyclegan_tf.volumes.scratch import scratch_array
from cyclegan_tf.volumes.slices import Slices
from cyclegan_tf.volumes.volume import Volume

if TYPE_CHECKING:
    from cyclegan_tf.translate.translator import Translator

_COLOR = 3


@dataclass(frozen=True)
class VolumeTranslator:
    """A generator, ready for volumes.

    Each slice is translated by itself; along several axes each voxel is the mean of what its slices
    give. A slice that lies at or below the low end of the range throughout shows nothing, and
    becomes the low end of the target's.

    Attributes:
      translator: of the network.
      ranges: what the network's numbers mean; without, those of unsigned integers and of floats in
        [0, 1] are full.
      axes: that volumes are cut along.
      neighbors: how many slices on each side the network sees; the middle one is taken.
      at_once: slices given to the network together.
      clipped: what of the numbers read so far lay outside the range.

    Example:
      >>> translate = VolumeTranslator(translator, ranges, ("axial",))
      >>> for _ in translate.steps(open_volume(path), Path("mr.nii.gz")):
      ...     pass  # some slices are done
    """

    translator: Translator
    ranges: RangePair
    axes: Sequence[str]
    neighbors: int = 0
    at_once: int = 1
    clipped: Clipped = field(default_factory=Clipped)

    def open(self, path: Path) -> Volume:
        """Open a volume, and refuse one that cannot be translated.

        Raises:
          UserError: it cannot be read, does not say how it lies while axes are given by name, its
            numbers have no range, or the network takes other channels.
        """
        volume = open_volume(path)
        for axis in self.axes:
            Slices(volume, axis).checked()
        self._pair(volume)
        given, taken = 2 * self.neighbors + 1, self.translator.channels
        if given not in (1, taken) or taken not in (given, _COLOR):
            raise _refused(
                volume,
                f"gives images of {given} channels, and the network takes {taken}; translate with "
                "a network that was trained on volumes",
                "mismatch",
            )
        return volume

    def count(self, volume: Volume) -> int:
        """Count the slices of a volume along all axes."""
        return sum(len(Slices(volume, axis)) for axis in self.axes)

    def steps(
        self, volume: Volume, target: Path, replace: bool = False
    ) -> Generator[int, None, None]:
        """Translate a volume; closing the iterator earlier writes nothing.

        Args:
          volume: as `open` gives it.
          target: the file, or folder, to be, which appears whole or not at all.
          replace: put it in the place of a folder that is there.

        Yields:
          How many slices have been done since.

        Raises:
          UserError: a number is NaN, or the network gave NaN.
          OSError: the target cannot be written.
        """
        pair, shape = self._pair(volume), volume.voxels.shape
        source, goal = pair.source, pair.target
        assert source is not None
        assert goal is not None
        if len(self.axes) == 1:
            result = scratch_array(shape, goal.dtype)
            for done, view, places, values in self._translated(volume, source, result):
                view[places] = goal.from_signed(values)
                yield done
        else:
            total = scratch_array(shape, np.float32)
            for done, view, places, values in self._translated(volume, source, total):
                view[places] += values / len(self.axes)
                yield done
            result = scratch_array(shape, goal.dtype)
            for place in range(shape[2]):
                result[..., place] = goal.from_signed(total[..., place])
        save_volume(target, result, volume, is_same_unit=source == goal, replace=replace)

    def _translated(
        self, volume: Volume, source: ValueRange, result: np.ndarray
    ) -> Iterator[tuple[int, np.ndarray, list[int], np.ndarray]]:
        """Yield how many slices are done, the result as slices, their places, and their values."""
        for axis in self.axes:
            slices = Slices(volume, axis, self.neighbors)
            view = slices.cut.apply(result)
            for first in range(0, len(slices), self.at_once):
                places = list(range(first, min(first + self.at_once, len(slices))))
                values = self._signed(slices, places, source)
                yield len(places), view, places, values

    def _signed(self, slices: Slices, places: Sequence[int], source: ValueRange) -> np.ndarray:
        """Translate slices: (slice, row, column) in [-1, 1]."""
        images = []
        for place in places:
            numbers = slices.numbers(place)
            middle = numbers[..., self.neighbors]
            self.clipped.add(middle.size, source.count_outside(middle))
            try:
                signed = source.to_signed(numbers)
            except UserError as error:
                raise VolumeError(slices.volume.path, str(error), error) from error
            if signed.shape[-1] < self.translator.channels:  # gray for a network of colors
                signed = np.repeat(signed, self.translator.channels, axis=-1)
            images.append(signed)
        found = np.full((len(places), *slices.shape), -1, np.float32)
        filled = [n for n, image in enumerate(images) if image.max() > -1]
        if filled:
            for number, image in zip(
                filled, self.translator.batch([images[n] for n in filled]), strict=True
            ):
                found[number] = image[..., image.shape[-1] // 2]
        return found

    def _pair(self, volume: Volume) -> RangePair:
        """The ranges of a volume's numbers and of its translation's, both known.

        Raises:
          VolumeError: none is known.
        """
        dtype = volume.value_dtype
        if self.ranges.source is None and pixel_values.depth_of(dtype)[1] == pixel_values.NO_WHITE:
            raise _refused(
                volume,
                f"holds {dtype} numbers, and the network was trained without a range of them "
                "(--data.range_x, --data.range_y of the training)",
                "unsupported",
            )
        source = self.ranges.source or ValueRange.of_type(dtype.name)
        return RangePair(source, self.ranges.target or source)


def _refused(volume: Volume, reason: str, code: Code) -> VolumeError:
    return VolumeError(volume.path, reason, UserError(reason, code=code))
