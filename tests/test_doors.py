"""One model, one image, one answer, whichever door it takes.

The image is larger than training's and of another shape. Doors that run the same operations on a
SavedModel differ by float rounding: one pixel value at most.
"""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

import cyclegan_tf
from cyclegan_tf.export.saved_model import FULL_SIZE, write_saved_model
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.training_scale import TrainingScale
from cyclegan_tf.networks.builders import size_divisor_of
from cyclegan_tf.runs import generators
from cyclegan_tf.translate import command as translate
from cyclegan_tf.translate.translator import Translator
from tests.helpers import tiny_serving

HEIGHT, WIDTH = 60, 44
ROUNDING = 1  # of 255
MODEL = "export/saved_model/m_xy"


@pytest.fixture(scope="module")
def folder(tiny_run, tmp_path_factory):
    """The image, its translation by the command, a `.keras` file and a SavedModel."""
    folder = tmp_path_factory.mktemp("doors")
    rng = np.random.default_rng(2)
    rough = Image.fromarray(rng.integers(0, 256, (9, 7, 3), np.uint8))
    smooth = np.asarray(rough.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)).astype(int)
    noisy = (smooth + rng.integers(-20, 21, smooth.shape)).clip(0, 255).astype(np.uint8)
    image_io.save(folder / "in.png", noisy)
    words = [str(tiny_run), str(folder / "in.png"), str(folder / "out.png"), "--quiet"]
    assert translate.main(words) == 0
    shutil.copy(tiny_run / "generator_xy.keras", folder / "xy.keras")
    network, _ = generators.load_generator(tiny_run, "xy", "float32")
    scale = generators.training_scale(tiny_run, "xy")
    write_saved_model(folder / MODEL, network, size_divisor_of(network), 16, {}, scale)
    return folder


@pytest.fixture(scope="module")
def given(folder):
    return image_io.read(folder / "in.png")


@pytest.fixture(scope="module")
def answer(folder):
    return image_io.read(folder / "out.png")


def assert_close(found, answer, levels=ROUNDING):
    assert found.shape == answer.shape
    assert np.abs(found.astype(int) - answer.astype(int)).max() <= levels


def test_it_is_the_training_scale_and_not_full_size(tiny_run, given, answer):
    assert generators.training_scale(tiny_run, "xy") == TrainingScale("area", 16)
    network, _ = generators.load_generator(tiny_run, "xy")
    divisor = size_divisor_of(network)
    np.testing.assert_array_equal(
        Translator(network, divisor, TrainingScale("area", 16))(given), answer
    )
    assert np.abs(Translator(network, divisor)(given).astype(int) - answer).max() > 20


def test_a_file_of_the_run(folder, answer):
    words = [str(folder / "xy.keras"), str(folder / "in.png"), str(folder / "again.png")]
    assert translate.main([*words, "--overwrite"]) == 0
    np.testing.assert_array_equal(image_io.read(folder / "again.png"), answer)


@pytest.mark.parametrize("source", ["run", "xy.keras", MODEL])
def test_the_library(source, folder, tiny_run, given, answer):
    model = cyclegan_tf.load(tiny_run if source == "run" else folder / source)
    assert_close(model.translate(given, "xy"), answer, ROUNDING if source == MODEL else 0)


def version(folder):
    from cyclegan_tf.serve.models.versions import load_version

    return load_version("m_xy", 1, folder / MODEL / "1", trust=False)


def test_a_server_given_numbers_and_files(folder, given, answer):
    served = version(folder)
    numbers = served.signature("serving_default")({"images": image_io.to_signed(given)[None]})
    assert_close(image_io.from_signed(numbers["translated"][0]), answer)
    data = np.array([(folder / "in.png").read_bytes()], object)
    files = served.signature("image_bytes")({"image_bytes": data})["translated_bytes"]
    assert_close(np.asarray(Image.open(io.BytesIO(files[0]))), answer)


def test_a_server_over_rest(folder, answer):
    """gRPC gives what REST gives: tests/serve/grpc/test_service.py."""
    from cyclegan_tf.serve.http.app import build_app
    from cyclegan_tf.serve.models.metrics import Metrics

    app = build_app(tiny_serving.loaded(folder / "export"), Metrics())
    request = tiny_serving.body((folder / "in.png").read_bytes())
    said = tiny_serving.ask(app, "POST", "/v1/models/m_xy:predict", request)
    assert said.status == 200, said.body
    assert_close(tiny_serving.pixels_of(said.json()["predictions"][0]), answer)


def test_every_pixel_is_seen_where_that_is_asked_for(folder, tiny_run, given):
    network, _ = generators.load_generator(tiny_run, "xy", "float32")
    wanted = Translator(network, size_divisor_of(network))(given)
    signature = version(folder).signature(FULL_SIZE)
    found = signature({"images": image_io.to_signed(given)[None]})["translated"][0]
    assert_close(image_io.from_signed(found), wanted)
    words = [str(folder / "xy.keras"), str(folder / "in.png"), str(folder / "full.png")]
    assert translate.main([*words, "--overwrite", "--size", "full"]) == 0
    assert_close(image_io.read(folder / "full.png"), wanted)


@pytest.mark.parametrize("at_full_size", [False, True])
def test_a_beam_job(at_full_size, folder, given, answer):
    pytest.importorskip("apache_beam")
    from cyclegan_tf.translate_beam.steps import Example, SavedModelHandler

    handler = SavedModelHandler(str(folder / MODEL / "1"), 2, at_full_size)
    (made,) = handler.run_inference([Example("a", "b", given)], handler.load_model())
    assert made.error is None
    if at_full_size:
        assert np.abs(made.pixels.astype(int) - answer).max() > 20
    else:
        assert_close(made.pixels, answer)


def test_a_video_whose_frames_are_alone(tiny_run, given, answer):
    from cyclegan_tf.translate.video.frames import FrameTranslator

    network, _ = generators.load_generator(tiny_run, "xy")
    scale = generators.training_scale(tiny_run, "xy")
    frame = FrameTranslator(network, size_divisor_of(network), 0, scale)(given)
    np.testing.assert_array_equal(frame, answer)


def test_16_bits_are_kept(tiny_run, given, answer):
    model = cyclegan_tf.load(tiny_run)
    deep = model.translate(given.astype(np.uint16) * 257, "xy")
    assert deep.dtype == np.uint16
    assert_close((deep / 257).round(), answer)
    assert len(np.unique(deep)) > 256
