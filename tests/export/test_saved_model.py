"""SavedModels: what they compute and take, and that loading needs TensorFlow only."""

import io
import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import interpreter as litert
from PIL import Image
from tensorflow_serving.apis import prediction_log_pb2

from cyclegan_tf.export import saved_model
from cyclegan_tf.export.saved_model import (
    WARMUP,
    decode_file,
    encode_png,
    translate_any_size,
    write_saved_model,
)
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.ranges import RangePair, ValueRange
from cyclegan_tf.images.training_scale import TrainingScale
from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.translate.translator import Translator
from tests.helpers.errors import refused

SCALE = TrainingScale("area", 32)


def generator(channels=(3, 3), **options):
    network = build_generator(
        "resnet_6blocks",
        filters=4,
        blocks=1,
        seed=3,
        input_channels=channels[0],
        output_channels=channels[1],
        **options,
    )
    for variable in network.trainable_variables:  # or the output is gray whatever comes in
        if variable.name == "kernel":
            variable.assign(variable.numpy() * 6)
    return network


@pytest.fixture(scope="module")
def network():
    return generator()


@pytest.fixture(scope="module")
def version(network, tmp_path_factory):
    return write_saved_model(
        tmp_path_factory.mktemp("models") / "zebra_xy", network, 4, 32, {"name": "zebra_xy"}
    )


@pytest.fixture(scope="module")
def loaded(version):
    return tf.saved_model.load(str(version))


def image(height, width, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def png(array):
    return tf.io.encode_png(array).numpy()


SIZES = [(32, 32), (33, 47), (4, 50), (1, 1), (2, 3), (17, 16)]


@pytest.mark.parametrize("size", SIZES)
def test_any_size_gives_what_the_translator_gives(loaded, network, size):
    translator, source = Translator(network, 4), image(*size)
    given = np.stack([image_io.to_signed(source), image_io.to_signed(image(*size, seed=1))])
    outputs = loaded.signatures["serving_default"](images=tf.constant(given))["translated"].numpy()
    assert outputs.shape == given.shape
    if min(size) > 1:  # of one pixel, instance normalization leaves rounding noise only
        assert np.abs(image_io.from_signed(outputs[0]).astype(int) - translator(source)).max() <= 1
    assert outputs.std() > 0.05


def test_files_of_any_sizes_in_one_request(loaded, network):
    translator = Translator(network, 4)
    sources = [image(*size) for size in SIZES]
    answers = loaded.signatures["image_bytes"](
        image_bytes=tf.constant([png(source) for source in sources])
    )
    for source, answer in zip(sources, answers["translated_bytes"].numpy(), strict=True):
        made = np.asarray(Image.open(io.BytesIO(answer)))
        assert made.shape == source.shape
        if min(source.shape[:2]) > 1:
            assert np.abs(made.astype(int) - translator(source)).max() <= 1


def test_the_next_version_stands_beside_the_first(network, tmp_path):
    first = write_saved_model(tmp_path / "m_xy", network, 4, 32, {})
    before = sorted(path.stat().st_mtime_ns for path in first.rglob("*"))
    second = write_saved_model(tmp_path / "m_xy", network, 4, 32, {})
    assert (first.name, second.name) == ("1", "2")
    assert sorted(path.stat().st_mtime_ns for path in first.rglob("*")) == before
    assert sorted(path.name for path in (tmp_path / "m_xy").iterdir()) == ["1", "2"]


def test_a_failure_leaves_no_version(network, tmp_path):
    with pytest.raises(TypeError):
        write_saved_model(tmp_path / "m_xy", network, 4, 32, {"name": object, 1: {2}, ("a",): 3})
    assert [path.name for path in (tmp_path / "m_xy").iterdir()] == []


def test_what_gives_other_images_is_not_kept(network, tmp_path, monkeypatch):
    plain = saved_model.translate_any_size
    asked = []

    def wrong_once_loaded(*arguments):
        asked.append(arguments)
        return plain(*arguments) + (
            0.01 if len(asked) == 1 else 0.0
        )  # the first is traced for the file

    monkeypatch.setattr(saved_model, "translate_any_size", wrong_once_loaded)
    with refused("mismatch", match=r"other images than the network: 0\.01") as caught:
        write_saved_model(tmp_path / "m_xy", network, 4, 32, {})
    assert caught.value.code == "mismatch"
    assert list((tmp_path / "m_xy").iterdir()) == []


def test_the_card_holds_the_checksums(version):
    card = json.loads((version / "assets.extra" / "card.json").read_text())
    assert 0 <= card["largest_difference_from_keras"] < 1e-4
    assert card["name"] == "zebra_xy"
    assert {"saved_model.pb", "variables/variables.index", str(WARMUP)} <= set(card["files"])


def test_warm_up_requests_run(version, loaded):
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(version / WARMUP))]
    logs = [prediction_log_pb2.PredictionLog.FromString(record) for record in records]
    requests = [log.predict_log.request for log in logs]
    assert {request.model_spec.signature_name for request in requests} == {
        "serving_default",
        "image_bytes",
    }
    for request in requests:
        assert request.model_spec.name == "zebra_xy"
        inputs = {key: tf.constant(tf.make_ndarray(value)) for key, value in request.inputs.items()}
        loaded.signatures[request.model_spec.signature_name](**inputs)


@pytest.mark.slow
def test_it_and_saved_model_cli_run_without_keras_and_this_package(version, tmp_path, loaded):
    source = image(21, 30)
    (tmp_path / "in.png").write_bytes(png(source))
    np.save(tmp_path / "in.npy", image_io.to_signed(image(12, 20))[np.newaxis])
    program = textwrap.dedent("""
        import sys, importlib.abc, importlib.machinery
        class Forbidden(importlib.abc.MetaPathFinder, importlib.abc.Loader):
            def find_spec(self, name, path, target=None):
                if name.split(".")[0] in ("keras", "tf_keras", "cyclegan_tf"):
                    return importlib.machinery.ModuleSpec(name, self)
            def create_module(self, spec):
                raise ImportError(spec.name + " is forbidden here")
            def exec_module(self, module):
                pass
        sys.meta_path.insert(0, Forbidden())
        import tensorflow as tf
        version = sys.argv[1]
        model = tf.saved_model.load(version)
        outputs = model.signatures["image_bytes"](image_bytes=tf.io.read_file("in.png")[tf.newaxis])
        tf.io.write_file("out.png", outputs["translated_bytes"][0])
        from tensorflow.python.tools import saved_model_cli
        for words in (
            ["show", "--dir", version, "--all"],
            ["run", "--dir", version, "--tag_set", "serve", "--signature_def", "serving_default",
             "--inputs", "images=in.npy", "--outdir", "."],
        ):
            sys.argv = ["saved_model_cli", *words]
            try:
                saved_model_cli.main()
            except SystemExit as end:
                assert not end.code, words
        loaded = {name.split(".")[0] for name in sys.modules}
        assert not {"keras", "tf_keras", "cyclegan_tf"} & loaded
    """)
    done = subprocess.run(
        [sys.executable, "-c", program, str(version)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert done.returncode == 0, done.stderr
    wanted = loaded.signatures["image_bytes"](image_bytes=tf.constant([png(source)]))[
        "translated_bytes"
    ][0].numpy()
    assert (tmp_path / "out.png").read_bytes() == wanted
    assert "inputs['image_bytes'] tensor_info" in done.stdout
    assert "outputs['translated'] tensor_info" in done.stdout
    assert np.load(tmp_path / "translated.npy").shape == (1, 12, 20, 3)


class TestDecoding:
    decode = staticmethod(tf.function(lambda data: decode_file(data, 3), autograph=False))

    @pytest.mark.parametrize("mode", ["RGB", "L", "LA", "RGBA", "P", "1"])
    def test_png_as_our_reader_reads_it(self, mode, tmp_path):
        rng = np.random.default_rng(5)
        shape = {"RGB": (9, 8, 3), "LA": (9, 8, 2), "RGBA": (9, 8, 4)}.get(mode, (9, 8))
        if mode in ("P", "1"):
            Image.fromarray(rng.integers(0, 256, (9, 8, 3), np.uint8)).convert(mode).save(
                tmp_path / "a.png"
            )
        else:
            Image.fromarray(rng.integers(0, 256, shape, np.uint8), mode).save(tmp_path / "a.png")
        made = self.decode((tmp_path / "a.png").read_bytes()).numpy()
        np.testing.assert_array_equal(made, image_io.read(tmp_path / "a.png"))

    def test_png_with_a_color_that_means_none(self, tmp_path):
        rng = np.random.default_rng(6)
        palette = Image.fromarray(rng.integers(0, 256, (9, 8, 3), np.uint8)).convert("P")
        palette.save(tmp_path / "a.png", transparency=int(palette.getpixel((0, 0))))
        made = self.decode((tmp_path / "a.png").read_bytes()).numpy()
        assert (made[0, 0] == 255).all()
        np.testing.assert_array_equal(made, image_io.read(tmp_path / "a.png"))

    @pytest.mark.parametrize("orientation", [1, 6, 8])
    def test_jpeg_as_our_reader_reads_it(self, orientation, tmp_path):
        tags = Image.Exif()
        tags[0x0112] = orientation
        Image.fromarray(image(30, 20)).save(tmp_path / "a.jpg", exif=tags.tobytes())
        made = self.decode((tmp_path / "a.jpg").read_bytes()).numpy()
        np.testing.assert_array_equal(made, image_io.read(tmp_path / "a.jpg"))

    @pytest.mark.parametrize(
        ("spoil", "message"),
        [
            (lambda data: b"", "neither JPEG nor PNG"),
            (lambda data: b"<svg></svg>", "neither JPEG nor PNG"),
            (lambda data: b"GIF89a" + bytes(100), "neither JPEG nor PNG"),
            (lambda data: data[: len(data) // 2], "PNG"),
        ],
        ids=["empty", "SVG", "GIF", "cut off"],
    )
    def test_what_cannot_be_decoded_says_so(self, spoil, message, loaded):
        data = spoil(png(image(20, 20)))
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            loaded.signatures["image_bytes"](image_bytes=tf.constant([data]))

    def test_gray(self, tmp_path):
        (tmp_path / "a.png").write_bytes(png(image(9, 8)))
        made = decode_file(tf.constant((tmp_path / "a.png").read_bytes()), 1)
        np.testing.assert_array_equal(made, image_io.read(tmp_path / "a.png", channels=1))


def test_encoding_rounds_as_saved_images_do():
    signed = np.random.default_rng(4).uniform(-1.2, 1.2, (9, 8, 3)).astype(np.float32)
    made = np.asarray(Image.open(io.BytesIO(encode_png(tf.constant(signed)).numpy())))
    np.testing.assert_array_equal(made, image_io.from_signed(signed))


@pytest.mark.parametrize(
    ("channels", "files"), [((1, 3), True), ((3, 1), True), ((4, 4), False), ((3, 6), False)]
)
def test_other_numbers_of_channels(channels, files, tmp_path):
    version = write_saved_model(tmp_path / "m_xy", generator(channels), 4, 16, {})
    signatures = tf.saved_model.load(str(version)).signatures
    assert ("image_bytes" in signatures) is files
    outputs = signatures["serving_default"](images=tf.zeros((1, 8, 9, channels[0])))["translated"]
    assert outputs.shape == (1, 8, 9, channels[1])
    if files:
        answer = signatures["image_bytes"](image_bytes=tf.constant([png(image(9, 8))]))[
            "translated_bytes"
        ][0]
        assert tf.io.decode_png(answer).shape == (9, 8, channels[1])


@pytest.fixture(scope="module")
def scaled_version(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scaled") / "m_xy"
    return str(write_saved_model(folder, network, 4, 32, {}, SCALE))


@pytest.fixture(scope="module")
def scaled(scaled_version):
    return tf.saved_model.load(scaled_version).signatures


@pytest.mark.parametrize("size", [(80, 60), (32, 32), (9, 20)])
def test_at_a_scale_it_gives_what_the_translator_gives(size, network, scaled):
    source = image(*size)
    wanted = Translator(network, 4, SCALE)(source).astype(int)
    numbers = scaled["serving_default"](images=image_io.to_signed(source)[np.newaxis])
    assert np.abs(image_io.from_signed(numbers["translated"][0]) - wanted).max() <= 1
    files = scaled["image_bytes"](image_bytes=tf.constant([png(source)]))["translated_bytes"]
    made = np.asarray(Image.open(io.BytesIO(files.numpy()[0]))).astype(int)
    assert np.abs(made - wanted).max() <= 1
    whole = scaled["full_size"](images=image_io.to_signed(source)[np.newaxis])["translated"]
    at_full = Translator(network, 4)(source).astype(int)
    assert np.abs(image_io.from_signed(whole[0]) - at_full).max() <= 1


def test_tflite_converter_takes_the_signature_of_full_size(scaled_version, scaled):
    converter = tf.lite.TFLiteConverter.from_saved_model(
        scaled_version, signature_keys=["full_size"]
    )
    model = litert.Interpreter(model_content=converter.convert())
    number = model.get_input_details()[0]["index"]
    for size in [(1, 33, 47, 3), (2, 80, 60, 3)]:
        images = np.random.default_rng(0).uniform(-1, 1, size).astype(np.float32)
        model.resize_tensor_input(number, size)
        model.allocate_tensors()
        model.set_tensor(number, images)
        model.invoke()
        made = model.get_tensor(model.get_output_details()[0]["index"])
        wanted = scaled["full_size"](images=tf.constant(images))["translated"]
        np.testing.assert_allclose(made, wanted, atol=1e-5)


def test_no_more_rows_are_added_than_needed(network):
    seen = []

    def spy(batch, training):
        seen.append(tuple(batch.shape))
        return network(batch, training=training)

    translate_any_size(spy, 4, tf.zeros((1, 18, 40, 3)))
    assert seen == [(1, 20, 40, 3)]


def test_numbers_of_files_in_and_out(tmp_path, network):
    ranges = RangePair(ValueRange(-1000, 3000, "int16"), ValueRange(0, 4095, "uint16"))
    folder = write_saved_model(tmp_path / "m_xy", network, 4, 32, {}, ranges=ranges)
    served = tf.saved_model.load(str(folder)).signatures["image_numbers"]
    numbers = np.random.default_rng(0).uniform(-1500, 3500, (1, 40, 36, 3)).astype(np.int16)
    made = served(numbers=tf.constant(numbers, tf.float32))["translated_numbers"].numpy()
    signed = Translator(network, 4)(ranges.source.to_signed(numbers[0]))
    wanted = ranges.target.from_signed(signed)
    assert (made == np.rint(made)).all()
    assert np.abs(made[0] - wanted).max() <= 1
    assert made.std() > 50


def test_without_ranges_there_is_no_signature_of_numbers(loaded):
    assert "image_numbers" not in loaded.signatures


def test_numbers_in_a_graph_are_those_of_ranges():
    for known in (ValueRange(-1000, 3000, "int16"), ValueRange(-0.5, 1.5, "float32")):
        numbers = np.linspace(known.low - 1, known.high + 1, 999).astype(known.dtype)
        signed = saved_model.signed_in_graph(tf.constant(numbers), known).numpy()
        np.testing.assert_array_equal(signed, known.to_signed(numbers))
        back = saved_model.numbers_in_graph(tf.constant(signed), known).numpy()
        np.testing.assert_array_equal(back, known.from_signed(signed).astype(np.float32))
