"""What an experiment says of its images; a part of `config`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from cyclegan_tf.config.checks import at_least, at_most, require
from cyclegan_tf.errors import UserError

_LONGEST_NAME = 36  # a card's label is two of them
_CHANNELS, _MAX_CHANNELS = 3, 4096


@dataclass(frozen=True)
class Data:
    """Where the images come from and how they are prepared.

    Attributes:
        source: "demo" ("demo:paired": of the same scenes), a folder holding trainA, trainB, testA,
          testB, "tfds:NAME" (tfds:cycle_gan/maps), "slide:FOLDER" of whole slides in that
          layout, or "hf:USER/SET" of the Hugging Face Hub
          (hf:huggan/horse2zebra).
        x_dir: Plain folder of domain X; with y_dir it replaces source, and a test split is made and
          recorded.
        y_dir: Plain folder of domain Y.
        name_x: What X shows, in a word or two ("apples"), for logs, pages and reports; after the
          plain folder, or a source like apple2orange, when not given.
        name_y: What Y shows.
        tfds_dir: Where tensorflow-datasets keeps its files; its own default when not given.
        hf_x: Which images of an hf: set are domain X: a column, a label or a split; found where
          the set has just two.
        hf_y: The same for Y.
        test_fraction: Share of each plain folder kept for testing, and of an hf: set that has no
          test split.
        preprocess: What is done to a training image before the network sees it.
        load_size_px: Side (or width) that images are resized to, bicubic and antialiased, before
          the crop.
        crop_size_px: Side of the random crop the networks are trained on.
        flip: Mirror left and right at random.
        channels_x: Channels of domain X: 1 gray, 3 color, any number for TIFF and NPY; auto takes
          what all its images have, and 3 where they differ.
        channels_y: Channels of domain Y.
        range_x: Which numbers of X's files become black and white: full, those of their type;
          auto, two percentiles of the training images, measured once; or [low, high], in the files'
          own numbers.
        range_y: The same of Y.
        range_percentiles: The two percentiles of auto.
        axis: Of volumes (NIfTI, DICOM, MetaImage, NRRD): along which axis slices become images, by
          name, or by its number as stored.
        neighbors: Of volumes: slices on each side that are shown with each as further channels; the
          middle one is the translation.
        batch_size: Images of each domain per step, on all devices together.
        cache: Where prepared images wait between epochs; auto chooses by measured size and free
          memory.
        max_pixels: Images with more pixels are refused as decompression bombs.
        level: Of the pyramid of slides (slide:FOLDER, whose tiles are load_size_px large); 0 is the
          finest.
        mpp: Microns per pixel at which slides are read, in place of a level; 0 takes the level.
        pairs: Which images of trainA and trainB are partners, shown together with one crop and one
          flip: none; auto, those of the same name up to the suffix; a number, so many of those; or
          a CSV file of two columns, names of X and of Y.
        pairs_share: Share of the images that are shown with their partner; when not given, 0.5, and
          1 where all have one or the discriminators are conditional.

    Example:
        >>> data = Data(source="photos", load_size_px=143, crop_size_px=128)
        >>> data.batch_size
        1
    """

    source: str = "demo"
    x_dir: str | None = None
    y_dir: str | None = None
    name_x: str | None = None
    name_y: str | None = None
    tfds_dir: str | None = None
    hf_x: str | None = None
    hf_y: str | None = None
    test_fraction: float = 0.1
    preprocess: Literal[
        "resize_and_crop", "scale_width_and_crop", "crop", "scale_width", "none"
    ] = "resize_and_crop"
    load_size_px: int = 286
    crop_size_px: int = 256
    flip: bool = True
    channels_x: int | Literal["auto"] = "auto"
    channels_y: int | Literal["auto"] = "auto"
    range_x: Literal["full", "auto"] | tuple[float, float] = "full"
    range_y: Literal["full", "auto"] | tuple[float, float] = "full"
    range_percentiles: tuple[float, float] = (0.1, 99.9)
    axis: Literal["axial", "coronal", "sagittal", 0, 1, 2] = "axial"
    neighbors: int = 0
    batch_size: int = 1
    cache: Literal["auto", "memory", "disk", "off"] = "auto"
    max_pixels: int = 178_956_970
    level: int = 0
    mpp: float = 0.0
    pairs: str = "none"
    pairs_share: float | None = None

    def __post_init__(self) -> None:
        at_least("data", self, 1, "load_size_px", "crop_size_px", "batch_size", "max_pixels")
        at_least("data", self, 0, "neighbors", "level", "mpp")
        at_most("data", self, 16, "neighbors")
        at_most("data", self, 65_536, "load_size_px", "crop_size_px", "batch_size")
        at_most("data", self, 2**40, "max_pixels")
        require(
            0 <= self.test_fraction < 1,
            "data.test_fraction",
            self.test_fraction,
            "it must be in [0, 1)",
        )
        for name in ("name_x", "name_y"):
            value = getattr(self, name)
            is_name = value is None or (value.strip() != "" and value.isprintable())
            rule = f"it must be a word or two, of at most {_LONGEST_NAME} characters"
            require(is_name and len(value or "") <= _LONGEST_NAME, f"data.{name}", value, rule)
        self._check_pair("x_dir", "y_dir", "two plain folders need both")
        self._check_pair("hf_x", "hf_y", "a set needs both or neither")
        require(
            self.hf_x is None or self.source.startswith("hf:"),
            "data.hf_x",
            self.hf_x,
            "it is for data.source hf:USER/SET",
        )
        self._check_pairs()
        self._check_numbers()
        if self.preprocess in ("resize_and_crop", "scale_width_and_crop"):
            require(
                self.crop_size_px <= self.load_size_px,
                "data.crop_size_px",
                self.crop_size_px,
                f"the crop is cut from images of data.load_size_px {self.load_size_px}: make the "
                "crop smaller or the load size larger",
            )
        if self.preprocess in ("scale_width", "none"):
            require(
                self.batch_size == 1,
                "data.batch_size",
                self.batch_size,
                f"data.preprocess {self.preprocess} keeps different sizes, which only batch size "
                f"1 can hold",
            )

    def _check_pairs(self) -> None:
        is_number = self.pairs.isascii() and self.pairs.isdecimal() and int(self.pairs) > 0
        is_known = self.pairs in ("none", "auto") or self.pairs.lower().endswith(".csv")
        rule = "it must be none, auto, a number of pairs from 1 up, or a .csv file of their names"
        require(is_known or is_number, "data.pairs", self.pairs, rule)
        share = self.pairs_share
        if share is not None:
            require(0.001 <= share <= 1, "data.pairs_share", share, "it must be in [0.001, 1]")
            rule = "there are no pairs to show: give data.pairs"
            require(self.has_pairs, "data.pairs_share", share, rule)

    def _check_numbers(self) -> None:
        for domain in "xy":
            count = getattr(self, f"channels_{domain}")
            is_count = count == "auto" or 1 <= count <= _MAX_CHANNELS
            rule = f"it must be auto, or from 1 to {_MAX_CHANNELS}"
            require(is_count, f"data.channels_{domain}", count, rule)
            wanted = getattr(self, f"range_{domain}")
            is_range = wanted in ("full", "auto") or _is_interval(wanted)
            rule = "it must be full, auto, or [low, high] with low below high"
            require(is_range, f"data.range_{domain}", wanted, rule)
        ends = self.range_percentiles
        is_share = _is_interval(ends) and ends[0] >= 0 and ends[1] <= 100
        rule = "it must be two numbers in [0, 100], the lower first"
        require(is_share, "data.range_percentiles", ends, rule)

    def channels(self, domain: str) -> int:
        """Give the channels of "x" or "y"; 3 as long as no images have decided "auto"."""
        count = self.channels_x if domain == "x" else self.channels_y
        return _CHANNELS if count == "auto" else count

    @property
    def may_have_same_channels(self) -> bool:
        """Whether both domains have as many channels, or images are still to decide it."""
        return self.channels_x == self.channels_y or "auto" in (self.channels_x, self.channels_y)

    @property
    def has_pairs(self) -> bool:
        """Whether partners are shown together."""
        return self.pairs != "none"

    def _check_pair(self, x: str, y: str, rule: str) -> None:
        """Refuse one of two fields that go together."""
        values = {x: getattr(self, x), y: getattr(self, y)}
        given = [name for name, value in values.items() if value is not None]
        if len(given) == 1:
            (missing,) = values.keys() - given
            raise UserError(
                f"data.{given[0]} is given without data.{missing}; {rule}.",
                code="missing",
                field=f"data.{missing}",
            )


def _is_interval(ends: object) -> bool:
    """Whether this is a list of two finite numbers, the lower first."""
    return (
        isinstance(ends, tuple)
        and len(ends) == 2
        and all(isinstance(end, int | float) for end in ends)
        and -math.inf < ends[0] < ends[1] < math.inf
    )
