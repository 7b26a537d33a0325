"""Checks before TensorFlow sees a request: size, kind and shape of its images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from cyclegan_tf.errors import UserError
from cyclegan_tf.images import segments

if TYPE_CHECKING:  # it imports TensorFlow, and options are checked before that
    from cyclegan_tf.images.training_scale import TrainingScale

BAD_REQUEST, NOT_FOUND, TOO_LARGE, TOO_MANY = 400, 404, 413, 429

_MAX_PNG_CHUNKS = 65_536
# Each scan of a progressive JPEG goes over all its pixels; cameras and browsers write some ten.
_MAX_JPEG_SCANS = 100


class RequestError(Exception):
    """A request that cannot be answered as it was meant.

    Attributes:
      status: HTTP status, 4xx or 5xx.
      message: what is wrong, for the client.
      retry_after: seconds after which the same request may succeed, or None.

    Example:
      >>> error = RequestError(TOO_MANY, "32 requests are waiting already; try again later", 1)
      >>> error.status, error.retry_after
      >>> raise error
    """

    def __init__(self, status: int, message: str, retry_after: int | None = None):
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.retry_after = retry_after

    def __str__(self) -> str:
        return self.message


class UnknownSignatureError(RequestError):
    """A signature that the model does not have: 400 over REST, FAILED_PRECONDITION over gRPC.

    Example:
      >>> raise UnknownSignatureError(BAD_REQUEST, "there is no signature of that name")
    """


@dataclass(frozen=True)
class Limits:
    """What one request, and all of them together, may ask for.

    Attributes:
      max_body_bytes: bytes of a request's body, or of a gRPC message.
      max_pixels: width x height of what a network sees of one image; of all images together where
        they come as numbers, because those are computed at once.
      max_image_pixels: width x height of an image (together, as above) that a model brings to the
        scale of its training, so that its network sees less.
      max_side: pixels of the longer side.
      max_batch: images of one request.
      max_queue: requests that may wait while all workers are busy.
      timeout_seconds: from a request's arrival to its answer.
      workers: requests that are computed at the same time; TensorFlow uses all cores for one.
      scale: at which the model that is asked sees images, an `images.training_scale.TrainingScale`;
        None where it sees every pixel.

    Raises:
      UserError: a value is below its minimum.

    Example:
      >>> limits = Limits(max_pixels=1024 * 1024, max_queue=8)
      >>> check_image(open("horse.jpg", "rb").read(), "horse.jpg", limits)
      >>> check_size(640, 480, "horse.jpg", limits)
    """

    max_body_bytes: int = 32 * 2**20
    max_pixels: int = 2**21
    max_image_pixels: int = 48 * 2**20
    max_side: int = 16383  # WebP's
    max_batch: int = 16
    max_queue: int = 32
    timeout_seconds: float = 120.0
    workers: int = 1
    scale: TrainingScale | None = None

    def seen(self, width: int, height: int) -> tuple[int, int]:
        """Width and height at which the network sees an image of this size."""
        if self.scale is None:
            return width, height
        rows, columns = self.scale.size(height, width)
        return columns, rows

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name == "scale":
                continue
            value, minimum = getattr(self, field.name), 0 if field.name == "max_queue" else 1
            if field.name == "timeout_seconds":
                if not 0 < value < 1e6:
                    raise UserError(
                        f"--timeout_seconds must be above 0 (and finite), and is {value}.",
                        code="invalid",
                        field="--timeout_seconds",
                    )
            elif value < minimum:
                raise UserError(
                    f"--{field.name} must be {minimum} or more, and is {value}.",
                    code="invalid",
                    field=f"--{field.name}",
                )


def check_inputs(
    specs: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    limits: Limits,
    strings_are_images: bool = True,
) -> int:
    """Check the inputs of a signature before it is called.

    Args:
      specs: name -> something with `shape` (a tf.TensorShape) and `dtype` (a tf.DType), as the
        signature wants it.
      arrays: the same names -> array of that type; strings as an object array of bytes.
      limits: of images.
      strings_are_images: False for a model that decodes none, such as one that reads tf.Example.

    Returns:
      Number of images.

    Raises:
      RequestError: 400 for a wrong shape, NaN, infinity or something that is no image; 413 above a
        limit.
    """
    count = 0
    for name, array in arrays.items():
        check_shape(specs[name], array.shape, name, limits)
        count = max(count, array.shape[0] if array.ndim else 1)
        if array.dtype == object and strings_are_images:
            for index, data in enumerate(array.ravel()):
                check_image(data, f"{name}: image {index + 1} of {array.size}", limits)
        elif array.dtype.kind == "f" and not np.isfinite(array).all():
            raise RequestError(
                BAD_REQUEST, f"{name} holds NaN or infinity; numbers from -1 to 1 are wanted"
            )
    return count


def check_shape(spec: Any, shape: tuple[int, ...], name: str, limits: Limits) -> None:
    """Check the shape of one input, before memory is taken for it.

    Args:
      spec: something with `shape`, a tf.TensorShape.
      shape: as sent.
      name: of the input, for messages.
      limits: of images.

    Raises:
      RequestError: 400 for a shape the signature does not take or without any element, 413 above a
        limit.
    """
    if not spec.shape.is_compatible_with(shape):
        wanted = "(" + ", ".join("any" if size is None else str(size) for size in spec.shape) + ")"
        raise RequestError(BAD_REQUEST, f"{name} has shape {shape}, and {wanted} is wanted")
    if 0 in shape:
        raise RequestError(BAD_REQUEST, f"{name} has shape {shape}: there is nothing in it")
    if shape and shape[0] > limits.max_batch:
        raise RequestError(
            TOO_LARGE, f"{name} holds {shape[0]} images, and the limit is {limits.max_batch}"
        )
    if len(shape) == 4:
        check_size(shape[2], shape[1], f"each image of {name}", limits)
        _check_pixels(shape[0], shape[2], shape[1], name, limits)


def _check_pixels(count: int, width: int, height: int, name: str, limits: Limits) -> None:
    """Check images that are computed at once."""
    columns, rows = limits.seen(width, height)
    for pixels, limit in (
        (count * columns * rows, limits.max_pixels),
        (count * width * height, max(limits.max_pixels, limits.max_image_pixels)),
    ):
        if pixels > limit:
            raise RequestError(
                TOO_LARGE,
                f"{name} has {pixels:,} pixels in all its images, and the limit is {limit:,}; send "
                "fewer at once, or encoded",
            )


def check_size(width: int, height: int, what: str, limits: Limits) -> None:
    """Check the size of one image.

    Args:
      width: in pixels.
      height: in pixels.
      what: names the image in messages.
      limits: of pixels and sides.

    Raises:
      RequestError: 400 for a single pixel, 413 above the limits of pixels or sides.
    """
    size = f"{what} is {width} x {height} pixels"
    if width == height == 1:
        # Instance normalization of equal values leaves rounding noise, which would look like an
        # answer.
        raise RequestError(BAD_REQUEST, f"{size}: there is nothing to translate in a single one")
    limit = max(limits.max_pixels, limits.max_image_pixels) if limits.scale else limits.max_pixels
    if width * height > limit:
        raise RequestError(TOO_LARGE, f"{size}, and the limit is {limit:,} in all; make it smaller")
    columns, rows = limits.seen(width, height)
    if columns * rows > limits.max_pixels:
        seen = f"of which the network would see {columns} x {rows}"
        raise RequestError(TOO_LARGE, f"{size}, {seen}, and the limit is {limits.max_pixels:,}")
    if max(width, height) > limits.max_side:
        raise RequestError(TOO_LARGE, f"{size}, and no side may be longer than {limits.max_side}")


def check_image(data: bytes, what: str, limits: Limits) -> tuple[int, int]:
    """Check an encoded image's header, by the rules of the libraries that TensorFlow uses.

    Pixels are not decoded: what is damaged further on, `damage.check_pixels` or TensorFlow refuses.

    Args:
      data: the file's bytes.
      what: names the image in messages.
      limits: of pixels and sides.

    Returns:
      Width and height in pixels, as stored.

    Raises:
      RequestError: 400 if it is no JPEG or PNG, or visibly damaged or cut off; 413 if it is too
        large.
    """
    if not data:
        raise RequestError(BAD_REQUEST, f"{what} is empty (0 bytes)")
    try:
        if data.startswith(segments.PNG_SIGNATURE):
            width, height = segments.png_size(data, _MAX_PNG_CHUNKS)
        elif data.startswith(segments.JPEG_SIGNATURE):
            width, height = segments.jpeg_size(data, _MAX_JPEG_SCANS)
        else:
            raise RequestError(BAD_REQUEST, f"{what} is neither a JPEG nor a PNG")
    except ValueError as error:
        raise RequestError(BAD_REQUEST, f"{what} is damaged or cut off ({error})") from error
    if width < 1 or height < 1:
        raise RequestError(BAD_REQUEST, f"{what} has no pixels ({width} x {height})")
    check_size(width, height, what, limits)
    return width, height
