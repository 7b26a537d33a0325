"""A generator as a SavedModel for TF Serving, for images as numbers or files, of any size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.atomic import atomic_directory, next_version
from cyclegan_tf.errors import UserError
from cyclegan_tf.export import exif
from cyclegan_tf.export.model_card import write_model_card
from cyclegan_tf.export.outputs import CARD_NAME
from cyclegan_tf.images import detail
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.codecs import luma
from cyclegan_tf.images.ranges import FULL_RANGES, RangePair, ValueRange
from cyclegan_tf.images.training_scale import FULL, TrainingScale
from cyclegan_tf.translate.translator import MIN_SIZE_PX

WARMUP = Path("assets.extra", "tf_serving_warmup_requests")
_MAX_DIFFERENCE = 1e-3  # float rounding; a step of 8-bit values is 8e-3
_HEAD_BYTES = 1 << 16  # a PNG declares its transparency before its pixels
ENCODED = "image_bytes"
"""Name of the signature that takes files.

TF Serving's REST carries inputs and outputs whose names end in `_bytes` as base64.
"""
NUMBERS = "image_numbers"
"""Name of the signature that takes and gives the numbers of files of a range."""
FULL_SIZE = "full_size"
"""Name of the signature whose network sees every pixel, where others bring images to a scale."""


def write_saved_model(
    folder: Path,
    network: keras.Model,
    size_divisor_px: int,
    warmup_size_px: int,
    card: Mapping[str, Any],
    scale: TrainingScale = FULL,
    ranges: RangePair = FULL_RANGES,
) -> Path:
    """Write the next version of a model for TF Serving; earlier versions stay as they are.

    Signatures: `serving_default` takes `images`, float32 (N, H, W, C) in [-1, 1], and gives
    `translated`, float32 of the same sizes; `image_bytes` takes `image_bytes`, string (N,), JPEG or
    PNG of any sizes, and gives `translated_bytes`, string (N,), PNG of the same sizes. The second
    is there for networks of 1 or 3 channels in and 1 to 4 out. Both bring an image to the scale of
    training and the result back, as `translate` does; a third, `full_size`, is as the first, but
    its network sees every pixel. Where a domain has a range, `image_numbers` takes `numbers`,
    float32 (N, H, W, C) in the units of the input's files, clipped to their range, and gives
    `translated_numbers`, float32 in the units of the target's; whole numbers where these are.

    Args:
      folder: of the model; versions are folders 1, 2, ... in it.
      network: float32 (N, H, W, C) -> float32 of the same size; weights and computation in float32.
      size_divisor_px: sides the network takes are multiples of this.
      warmup_size_px: side of the image in the warm-up requests.
      card: what to write about it into assets.extra/card.json.
      scale: at which the network is to see images.
      ranges: what its numbers mean in files.

    Returns:
      The version's folder.

    Raises:
      UserError: what was written, loaded again, does not give what the network gives; nothing is
        left then.
    """
    final = folder / str(next_version(folder))
    served = _Served(network, size_divisor_px, scale, ranges)
    with atomic_directory(final) as partial:
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(served, str(partial), signatures=served.signatures(), options=options)
        (partial / WARMUP).parent.mkdir(exist_ok=True)
        _write_warmup(partial / WARMUP, folder.name, served, warmup_size_px)
        difference = _difference_after_loading(
            partial, network, size_divisor_px, warmup_size_px, scale
        )
        if not difference <= _MAX_DIFFERENCE:
            raise UserError(
                f"The SavedModel gives other images than the network: {difference:g} apart; "
                "nothing was kept. Its weights are too large for float32, or TensorFlow has a "
                "fault: try another checkpoint.",
                code="mismatch",
                field=str(folder),
            )
        card = {**card, "largest_difference_from_keras": difference}
        write_model_card(partial, card, f"assets.extra/{CARD_NAME}")
    return final


def _difference_after_loading(
    folder: Path, network: keras.Model, size_divisor_px: int, size_px: int, scale: TrainingScale
) -> float:
    """Largest difference on one made-up image, of a size that needs padding."""
    shape = (1, size_px + 1, size_px + 2, network.input_shape[-1])
    image = tf.constant(np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32))
    served = tf.saved_model.load(str(folder)).signatures[
        tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
    ]
    wanted = translate_at_scale(network, size_divisor_px, scale, image)
    return float(tf.reduce_max(tf.abs(served(images=image)["translated"] - wanted)))


class _Served(tf.Module):
    """What TensorFlow saves: the weights, and functions that close over the network."""

    def __init__(
        self, network: keras.Model, size_divisor_px: int, scale: TrainingScale, ranges: RangePair
    ) -> None:
        super().__init__()
        self.channels, self.output_channels = network.input_shape[-1], network.output_shape[-1]
        # The network itself must not become part of what is saved, or loading would want Keras.
        self.saved_weights = [variable.value for variable in network.variables]

        self.translate = self._of_numbers(network, size_divisor_px, scale)
        self.full_size = self._of_numbers(network, size_divisor_px, FULL) if scale.px else None
        self.numbers = self._of_files_numbers(network, size_divisor_px, scale, ranges)
        if not self.takes_files:
            return

        @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, ENCODED)], autograph=False)
        def translate_encoded(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
            def one(data: tf.Tensor) -> tf.Tensor:
                images = decode_file(data, self.channels)[tf.newaxis]
                return encode_png(translate_at_scale(network, size_divisor_px, scale, images)[0])

            # One by one: their sizes differ, and one already keeps all cores busy.
            return {"translated_bytes": tf.map_fn(one, image_bytes, fn_output_signature=tf.string)}

        self.translate_encoded = translate_encoded

    def _of_numbers(self, network: keras.Model, size_divisor_px: int, scale: TrainingScale) -> Any:
        spec = tf.TensorSpec((None, None, None, self.channels), tf.float32, "images")

        @tf.function(input_signature=[spec], autograph=False)
        def translate(images: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"translated": translate_at_scale(network, size_divisor_px, scale, images)}

        return translate

    def _of_files_numbers(
        self, network: keras.Model, size_divisor_px: int, scale: TrainingScale, ranges: RangePair
    ) -> Any:
        source, target = ranges.source or ValueRange.of_type("uint8"), ranges.target
        if target is None:
            return None
        spec = tf.TensorSpec((None, None, None, self.channels), tf.float32, "numbers")

        @tf.function(input_signature=[spec], autograph=False)
        def translate(numbers: tf.Tensor) -> dict[str, tf.Tensor]:
            signed = signed_in_graph(numbers, source)
            made = translate_at_scale(network, size_divisor_px, scale, signed)
            return {"translated_numbers": numbers_in_graph(made, target)}

        return translate

    @property
    def takes_files(self) -> bool:
        return self.channels in (1, 3) and self.output_channels <= 4

    def signatures(self) -> dict[str, Any]:
        signatures = {tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY: self.translate}
        if self.full_size is not None:
            signatures[FULL_SIZE] = self.full_size
        if self.numbers is not None:
            signatures[NUMBERS] = self.numbers
        return signatures | ({ENCODED: self.translate_encoded} if self.takes_files else {})


def signed_in_graph(numbers: tf.Tensor, known: ValueRange) -> tf.Tensor:
    """Map numbers to [-1, 1] as `ValueRange.to_signed` does; NaN is not looked for."""
    shares = (tf.cast(numbers, tf.float64) - known.low) / (known.high - known.low)
    return tf.cast(2 * tf.clip_by_value(shares, 0.0, 1.0) - 1, tf.float32)


def numbers_in_graph(signed: tf.Tensor, known: ValueRange) -> tf.Tensor:
    """Map [-1, 1] to numbers as `ValueRange.from_signed` does, as float32."""
    shares = (tf.clip_by_value(tf.cast(signed, tf.float64), -1.0, 1.0) + 1) / 2
    numbers = known.low + shares * (known.high - known.low)
    if np.dtype(known.dtype).kind != "f":
        kind = np.iinfo(known.dtype)
        numbers = tf.round(tf.clip_by_value(numbers, float(kind.min), float(kind.max)))
    return tf.cast(numbers, tf.float32)


def translate_at_scale(
    network: keras.Model, size_divisor_px: int, scale: TrainingScale, images: tf.Tensor
) -> tf.Tensor:
    """Apply a network to images at a scale, and bring the results back with the images' detail.

    Inside a graph, the same steps as `Translator`.

    Args:
      network: float32 (N, H, W, C) -> float32 (N, H, W, C').
      size_divisor_px: sides the network takes are multiples of this.
      scale: at which the network is to see images.
      images: uint8 or uint16, or float32 in [-1, 1], (N, H, W, C); sizes may be unknown when
        traced.

    Returns:
      float32 (N, H, W, C').
    """
    signed = images if images.dtype.is_floating else image_io.to_signed(images)
    if scale.px is None:
        return translate_any_size(network, size_divisor_px, signed)
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    rows, columns = scale.size_in_graph(height, width)
    has_size = (rows == height) & (columns == width)
    reduced = tf.cond(has_size, lambda: signed, lambda: detail.reduce(images, rows, columns))
    translated = translate_any_size(network, size_divisor_px, reduced)
    return tf.cond(
        has_size,
        lambda: translated,
        lambda: detail.with_detail(signed, reduced, translated),
    )


def translate_any_size(network: keras.Model, size_divisor_px: int, images: tf.Tensor) -> tf.Tensor:
    """Apply a network to images of any size, padded by reflection and cut back.

    Inside a graph, the same rows and columns are added as by `Translator`.

    Args:
      network: float32 (N, H, W, C) -> float32 (N, H, W, C').
      size_divisor_px: sides the network takes are multiples of this.
      images: float32 (N, H, W, C) in [-1, 1]; H and W may be unknown when traced.
    """
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    (top, rows), (left, columns) = (
        _reflected(height, size_divisor_px),
        _reflected(width, size_divisor_px),
    )
    padded = tf.gather(tf.gather(images, rows, axis=1), columns, axis=2)
    return network(padded, training=False)[:, top : top + height, left : left + width]


def _reflected(length: tf.Tensor, size_divisor_px: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The number of rows before the image, and for each padded row the row it repeats."""
    # No division of negative numbers: ONNX rounds it another way.
    wanted = tf.maximum(
        (length + size_divisor_px - 1) // size_divisor_px * size_divisor_px, MIN_SIZE_PX
    )
    before = (wanted - length) // 2
    period = tf.maximum(2 * (length - 1), 1)  # a single row is repeated
    place = tf.math.floormod(tf.range(wanted) - before + period * before, period)
    return before, tf.minimum(place, tf.where(length > 1, period - place, 0))


def decode_file(data: tf.Tensor, channels: int) -> tf.Tensor:
    """Decode a JPEG or PNG file as it is displayed: upright, transparent parts on white.

    Args:
      data: string scalar.
      channels: 1 or 3.

    Returns:
      uint8 (H, W, channels).

    Raises:
      tf.errors.InvalidArgumentError: when run, on anything that is not a whole JPEG or PNG.
    """
    is_jpeg = tf.strings.substr(data, 0, 3) == b"\xff\xd8\xff"
    is_png = tf.strings.substr(data, 0, 8) == b"\x89PNG\r\n\x1a\n"
    known = tf.debugging.Assert(
        is_jpeg | is_png,
        ["image_bytes: an image is neither JPEG nor PNG; it begins with", data],
        summarize=16,
    )

    def jpeg() -> tf.Tensor:
        image = tf.io.decode_jpeg(
            data, channels=3, dct_method="INTEGER_ACCURATE", fancy_upscaling=True
        )
        return exif.upright(image, exif.orientation(data))

    def png() -> tf.Tensor:
        # Asked for four channels, TensorFlow reads a gray image of 1 bit wrongly.
        return tf.cond(
            _may_be_transparent(data), png_on_white, lambda: tf.io.decode_png(data, channels=3)
        )

    def png_on_white() -> tf.Tensor:
        planes = tf.cast(tf.io.decode_png(data, channels=4), tf.int32)
        colors, alpha = planes[..., :3], planes[..., 3:]
        return tf.cast((colors * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)

    with tf.control_dependencies([known]):
        image = tf.cond(is_jpeg, jpeg, png)
    return tf.ensure_shape(luma(image) if channels == 1 else image, (None, None, channels))


def _may_be_transparent(png: tf.Tensor) -> tf.Tensor:
    """Whether a PNG has an alpha channel (color types 4, 6) or a transparent color (tRNS)."""
    kind = tf.strings.substr(png + tf.constant(bytes(26)), 25, 1)
    head = tf.strings.substr(png, 0, tf.minimum(tf.strings.length(png), _HEAD_BYTES))
    return (kind == b"\x04") | (kind == b"\x06") | tf.strings.regex_full_match(head, r"\C*tRNS\C*")


def encode_png(signed: tf.Tensor) -> tf.Tensor:
    """Encode a float (H, W, 1 to 4) in [-1, 1] as an 8-bit PNG, a string scalar.

    Rounds as `images.from_signed` does.
    """
    return tf.io.encode_png(image_io.to_uint8(signed))


def _write_warmup(path: Path, name: str, served: _Served, size_px: int) -> None:
    """One request per signature, which TF Serving runs before it says that a version is ready."""
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    image = np.zeros((size_px, size_px, served.channels), np.uint8)
    inputs = {
        tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY: (
            "images",
            image_io.to_signed(image[np.newaxis]),
        )
    }
    if served.takes_files:
        inputs[ENCODED] = (ENCODED, np.array([tf.io.encode_png(image).numpy()], object))
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, (key, value) in inputs.items():
            request = predict_pb2.PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = name, signature
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictLog(request=request)
            writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())
