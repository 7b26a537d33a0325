"""What goes into a translation beside its numbers, and what is asked to stay as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cyclegan_tf.images import codecs
from cyclegan_tf.images.codecs import AS_SHOWN, Kept
from cyclegan_tf.images.headers import ImageError, ImageInfo
from cyclegan_tf.images.placement import HOLDS, TYPES_OF_ALPHA, Placement, read_placement
from cyclegan_tf.images.ranges import FULL_RANGES, RangePair
from cyclegan_tf.images.stacks import holders_of_several
from cyclegan_tf.translate.remarks import remarks_on


@dataclass(frozen=True)
class Beside:
    """How files are read for a network, and what of them its results are given.

    Attributes:
      channels: that the network takes.
      output_channels: that it gives.
      kept: what was asked for.
      ranges: of the network.

    Example:
      >>> beside = Beside(3, 3, Kept(alpha=True))
      >>> placement, kept = beside.of(images.probe("logo.png"), Path("out/logo.png"))
    """

    channels: int
    output_channels: int
    kept: Kept = AS_SHOWN
    ranges: RangePair = FULL_RANGES

    def of(self, info: ImageInfo, target: Path, *, pixels: bool = True) -> tuple[Placement, Kept]:
        """Say what is written into a target, and how the colors of its source are read.

        Args:
          info: header of the source.
          target: file of the translation.
          pixels: also read alpha, if that is asked for, and which pixels have no data.

        Raises:
          ImageError: the source's alpha cannot be decoded.
        """
        placement, held = read_placement(info, pixels=pixels), HOLDS.get(target.suffix.lower(), ())
        has_profile = info.profile and codecs.keeps_profile(info, self.channels)
        kept = Kept(
            profile=bool(
                self.kept.profile
                and has_profile
                and "profile" in held
                and self.channels == self.output_channels
            ),
            alpha=self.kept.alpha
            and info.has_alpha
            and "alpha" in held
            and self.channels in (1, 3)
            and self.output_channels in (1, 3)
            and (self.ranges.target is None or self.ranges.target.dtype in TYPES_OF_ALPHA),
        )
        if kept.profile:
            placement = replace(placement, profile=info.profile)
        if kept.alpha and pixels:
            placement = replace(placement, alpha=codecs.read_alpha(info))
        return placement, kept

    def remarks_on(
        self, info: ImageInfo, kept: Kept, placement: Placement, target: Path
    ) -> tuple[str, ...]:
        """Say what of a source is not in its translation.

        Args:
          info: header of the source.
          kept: of `of`.
          placement: of `of`.
          target: file of the translation.
        """
        has_ranges = self.ranges.target is not None
        remarks = []
        if self.kept.profile and info.profile and not kept.profile:
            remarks.append("a color profile that the output cannot hold, so colors are sRGB's")
        if info.has_alpha and self.channels in (1, 3) and not kept.alpha:
            is_white = not has_ranges or info.bits == 8
            remarks.append("transparency, laid on white" if is_white else "transparency, left out")
        return (*remarks, *remarks_on(info, placement, target, has_ranges))


def refuse_pages(info: ImageInfo, target: Path) -> ImageError:
    """Make the error of a file whose pages or frames cannot all go into its target."""
    holders = holders_of_several(info)
    if target.suffix.lower() not in holders:
        reason = f"and {target.suffix} files hold one; name an output of {' or '.join(holders)}"
    else:
        reason = "of which some differ in size or kind, or which are too many; save each as a file"
    return ImageError(info.path, f"has several pages or frames, {reason}")
