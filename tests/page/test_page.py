"""The exported page in a real Chromium: every use of it, against LiteRT in Python."""

import re
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from cyclegan_tf.errors import UserError
from cyclegan_tf.export.page_file import write_page_file
from cyclegan_tf.export.web import PageModel, write_page
from cyclegan_tf.images import codecs, detail
from cyclegan_tf.images import io as image_io
from cyclegan_tf.networks import builders as networks
from tests.browser import hosting
from tests.browser.checks import assert_failed, assert_quiet, read
from tests.helpers.image_files import exif

pytestmark = pytest.mark.slow

SIDE = 64
# A phone photograph, taken upright by a camera that lies on its side.
PHOTO_PX = (300, 200)
WORDS = "Translated in "


def lively(seed, side, channels):
    """A generator with random weights, its last convolution scaled up for colorful images."""
    shape = {"input_channels": channels, "output_channels": channels}
    network = networks.build_generator("fast_style", filters=8, blocks=2, seed=seed, **shape)
    kernel = [weight for weight in network.trainable_weights if weight.path.endswith("kernel")][-1]
    noise = np.random.default_rng(0).uniform(-1, 1, (1, side, side, channels)).astype(np.float32)
    spread = np.arctanh(np.clip(network(noise), -0.999, 0.999)).std()
    kernel.assign(kernel * (0.6 / spread))
    assert 0.2 < np.std(network(noise)) < 0.9
    return network


def convert(function, path, side, channels):
    """A .tflite of static size with float16 weights, as the exporter makes them for the page."""
    signature = tf.TensorSpec((1, side, side, channels), tf.float32)
    graph = tf.function(function, input_signature=[signature], autograph=False)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    path.write_bytes(converter.convert())
    return path


def page_model(path, name, side=SIDE, channels=3):
    label = {"xy": "A to B", "yx": "B to A"}[name[-2:]]
    return PageModel(name, name[-2:], label, path, side, channels, channels)


@pytest.fixture(scope="module")
def models(scripts, tmp_path_factory):
    """Model files by name: two directions, one of gray images, one that gives no numbers."""
    pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert, to compare with")
    folder = tmp_path_factory.mktemp("models")
    made = {}
    for seed, (name, channels) in enumerate({"m_xy": 3, "m_yx": 3, "gray_xy": 1}.items()):
        network = lively(seed, SIDE, channels)
        call = lambda images, network=network: network(images, training=False)  # noqa: E731
        made[name] = convert(call, folder / f"{name}.tflite", SIDE, channels)
    made["nan_xy"] = convert(
        lambda images: tf.math.log(images - 2.0), folder / "nan.tflite", SIDE, 3
    )
    return made


@pytest.fixture(scope="module")
def page(models, tmp_path_factory):
    """The exported folder; LiteRT.js comes from npm or the user's cache, as for everyone."""
    folder = tmp_path_factory.mktemp("page") / "web"
    try:
        write_page(
            folder,
            "Horses and zebras",
            [page_model(models[name], name) for name in ("m_xy", "m_yx")],
        )
    except UserError as error:
        if "npm could not fetch" not in str(error):
            raise
        pytest.skip(str(error))
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Images: two of the model's size, a turned photograph, a small one in gray, a broken one."""
    folder = tmp_path_factory.mktemp("images")
    y, x = np.mgrid[0:SIDE, 0:SIDE] / (SIDE - 1)
    waves = np.stack([np.sin(9 * x + 4 * y), np.cos(7 * y), np.sin(11 * x * y)], -1)
    square = np.rint(127.5 + 127.5 * waves).astype(np.uint8)
    paths = {name: folder / f"{name}.png" for name in ("square", "other", "small", "clear")}
    Image.fromarray(square).save(paths["square"])
    Image.fromarray(square[::-1, :, ::-1]).save(paths["other"])
    Image.fromarray(square[:40, :23]).save(paths["small"])
    Image.fromarray(np.dstack([square, square[..., 0]])).save(paths["clear"])
    paths |= {
        "turned": folder / "turned.jpg",
        "photo": folder / "photo.jpg",
        "broken": folder / "broken.png",
    }
    wide = Image.fromarray(square).resize(PHOTO_PX, Image.Resampling.BICUBIC)
    wide.save(paths["turned"], exif=exif(6), quality=95)
    wide.resize((1500, 1000)).save(paths["photo"], quality=95)
    paths["broken"].write_bytes(paths["square"].read_bytes()[:60])
    return paths


def litert(path, image):
    """LiteRT's translation in Python, at the scale, extended and cut as the page does it.

    The image's size and detail come from `images.detail`; uint8 (H, W, C).
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    scale = SIDE / max(image.shape[:2])
    height, width = (round(scale * side) for side in image.shape[:2])
    signed = image_io.to_signed(image)[None]
    has_size = (height, width) == image.shape[:2]
    seen = signed if has_size else detail.reduce(tf.constant(image)[None], height, width).numpy()
    extended = np.pad(seen, [(0, 0), (0, SIDE - height), (0, SIDE - width), (0, 0)], mode="reflect")
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], extended)
    interpreter.invoke()
    output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    made = output[:, :height, :width]
    return image_io.from_signed(made if has_size else detail.with_detail(signed, seen, made))[0]


def assert_near(path, wanted):
    found = read(path)
    assert found.shape == (*wanted.shape[:2], 3)
    assert wanted.std() > 20
    assert np.abs(found.astype(int) - wanted).max() <= 2


def test_every_way_in_the_slider_both_directions_and_saving(page, models, files, visit, tmp_path):
    with hosting.site(page) as (url, posts):
        result = visit("tour", url, files=files)
    assert_quiet(result, url)
    assert posts == []
    assert result["violations"] == []
    assert result["title"] == "Horses and zebras"
    assert "stay in this browser" in result["privacy"]
    out, square, other = tmp_path / "out", read(files["square"]), read(files["other"])
    assert_near(out / "square_xy.png", litert(models["m_xy"], square))
    assert_near(out / "square_yx.png", litert(models["m_yx"], square))
    assert_near(out / "other_xy.png", litert(models["m_xy"], other))
    for again in ("square_xy_again.png", "square_after_broken.png"):
        assert (read(out / again) == read(out / "square_xy.png")).all()
    assert np.abs(read(out / "square_xy.png").astype(int) - read(out / "square_yx.png")).max() > 50
    # EXIF 6 turns 300 x 200 to 200 x 300, of which the model sees 43 x 64.
    assert read(out / "turned_xy.png").shape == (300, 200, 3)
    with Image.open(files["turned"]) as pil_image:
        upright = np.asarray(ImageOps.exif_transpose(pil_image))
    rough = np.abs(read(out / "turned_xy.png").astype(int) - litert(models["m_xy"], upright)).mean()
    assert rough < 8
    assert "200 × 300 px, seen by the model at 43 × 64." in result["picked"]
    assert result["dropped"].startswith(WORDS)
    assert "WebAssembly, 1 thread" in result["dropped"]
    assert result["name"] == "square_m_xy.png"
    assert result["both"] == "square_m_xy_both.png"
    both = np.hstack([square, read(out / "square_xy.png")])
    assert (read(out / "square_both.png") == both).all()
    assert "The first of 2 images" in result["several"]
    assert "images: one at a time" not in result["dropped"]
    assert result["labels"] == ["Before: square.png", "After: square.png, translated"]
    assert "broken.png cannot be read as an image" in result["broken"]
    assert result["problemGone"]
    check_slider(result["slider"])


def check_slider(seen):
    start, right, home, end, dragged, released = seen
    assert (start["value"], right["value"], home["value"], end["value"]) == (50, 51, 0, 100)
    assert right["focused"]
    assert right["text"] == "51 % before, 49 % after"
    assert "51%" in right["clip"]
    assert dragged["value"] == 25
    assert "25%" in dragged["clip"]
    assert released["value"] == 25


def test_a_phone(page, files, visit, tmp_path):
    size = {"width": 360, "height": 740}
    with hosting.site(page) as (url, _):
        result = visit("phone", url, files=files, viewport=size, touch=True, dark=True)
    assert_quiet(result, url)
    assert result["violations"] == []
    assert result["width"] <= 360
    assert 78 <= result["slider"]["value"] <= 82
    assert read(tmp_path / "out/photo.png").shape == (1000, 1500, 3)
    assert "broken.png" in result["broken"]


def test_nothing_but_the_keyboard(page, files, visit):
    with hosting.site(page) as (url, _):
        result = visit("keyboard", url, files=files)
    assert_quiet(result, url)
    # Before there is an image, then from the file's button on.
    assert result["order"] == ["m_xy", "file", "use-camera", "use-camera", "save"]
    assert result["name"] == "square_m_yx.png"


def test_threads_and_a_strict_policy_by_headers(page, models, files, visit, tmp_path):
    policy = re.search('Policy" content="(.*?)"', (page / "index.html").read_text())[1]
    headers = {**hosting.ISOLATED, "Content-Security-Policy": policy + "; frame-ancestors 'none'"}
    with hosting.site(page, headers=headers) as (url, _):
        result = visit("simple", url, files={"image": files["square"]})
    assert_quiet(result, url)
    assert "threads" in result["said"]
    assert "/litert/wasm/litert_wasm_threaded_internal.js" in result["requests"]
    assert_near(tmp_path / "out/image.png", litert(models["m_xy"], read(files["square"])))


# A GPU drawn by the CPU: slow, but WebGPU's whole way.
SOFTWARE_GPU = [
    *("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"),
    "--use-vulkan=swiftshader",
]


def test_webgpu(page, models, files, visit, tmp_path):
    with hosting.site(page) as (url, _):
        result = visit("simple", url, files={"image": files["square"]}, flags=SOFTWARE_GPU)
    assert_quiet(result, url)
    if "WebGPU" not in result["said"]:
        pytest.skip("this Chromium has no WebGPU in software")
    assert_near(tmp_path / "out/image.png", litert(models["m_xy"], read(files["square"])))


@pytest.mark.parametrize(
    "where", ["async runWithArray(input) {", "async loadAndCompile(model, compileOptions = {}) {"]
)
def test_a_model_that_webgpu_fails_on_is_run_by_webassembly(
    page, models, files, visit, tmp_path, where
):
    shutil.copytree(page, tmp_path / "web")
    script = tmp_path / "web/litert/index.js"
    text = script.read_text()
    assert text.count(where) == 1
    options = "compileOptions" if "compileOptions" in where else "this.options"
    fault = f'if ({options}.accelerator === "webgpu") throw new Error("out of shaders");'
    script.write_text(text.replace(where, where + fault))
    with hosting.site(tmp_path / "web") as (url, _):
        result = visit(
            "simple", url, files={"image": files["square"]}, flags=SOFTWARE_GPU, twice=True
        )
    assert_quiet(result, url)
    assert "WebAssembly, 1 thread" in result["said"]
    assert "WebAssembly, 1 thread" in result["again"]
    assert_near(tmp_path / "out/image.png", litert(models["m_xy"], read(files["square"])))


@pytest.mark.parametrize("name", ["small", "clear"])
def test_small_and_transparent_images(page, models, files, visit, tmp_path, name):
    with Image.open(files[name]) as pil_image:
        white = Image.new("RGBA", pil_image.size, "white")
        image = np.asarray(Image.alpha_composite(white, pil_image.convert("RGBA")).convert("RGB"))
    with hosting.site(page) as (url, _):
        visit("simple", url, files={"image": files[name]})
    found = read(tmp_path / "out/image.png").astype(int)
    wanted = litert(models["m_xy"], image)
    assert found.shape == wanted.shape
    # Browsers round transparent colors their own way.
    assert np.abs(found - wanted).max() <= (2 if name == "small" else 12)


def test_gray_images(models, files, visit, tmp_path):
    write_page(tmp_path / "web", "Gray", [page_model(models["gray_xy"], "gray_xy", channels=1)])
    with hosting.site(tmp_path / "web") as (url, _):
        result = visit("simple", url, files={"image": files["square"]})
    assert_quiet(result, url)
    luma = codecs.luma(tf.constant(read(files["square"]))).numpy()
    assert_near(tmp_path / "out/image.png", litert(models["gray_xy"], luma).repeat(3, axis=-1))
    assert "A to B" in result["body"]


def test_the_bar_shows_how_far_loading_is(page, files, visit):
    with hosting.site(page, slow_s=0.4) as (url, _):
        result = visit("loading", url, files={"image": files["square"]})
    assert result["errors"] == []
    assert result["violations"] == []
    shares = [value for text, value in result["seen"] if text.startswith("Loading the model: ")]
    assert len(shares) >= 3
    assert shares == sorted(shares)
    assert 0 < shares[0] < 1
    assert result["hidden"]


def test_the_camera(page, visit):
    with hosting.site(page) as (url, _):
        result = visit("camera", url, camera=True)
    assert_quiet(result, url)
    assert result["violations"] == []
    assert result["stopped"]
    assert result["left"] == 0
    assert result["closed"]
    assert result["levels"] > 2
    assert result["said"].startswith(WORDS)


def test_the_last_wish_counts(page, models, files, visit, tmp_path):
    with hosting.site(page, slow_s=0.2) as (url, _):
        result = visit("hurry", url, files=files)
    assert_quiet(result, url)
    assert result["name"] == "other_m_xy.png"
    assert result["busy"] == 0
    assert_near(tmp_path / "out/last.png", litert(models["m_xy"], read(files["other"])))


@pytest.mark.parametrize(
    "path",
    [
        "/models/m_xy.tflite",
        "/litert/index.js",
        "/litert/wasm/litert_wasm_internal.wasm",
        "/models.json",
    ],
)
def test_a_missing_file_is_named(page, visit, path):
    with hosting.site(page, missing=[path]) as (url, _):
        result = visit("fails", url)
    assert_failed(
        result, f"The file {path[1:]} could not be loaded", "copy the whole exported folder"
    )


def test_a_damaged_model_is_refused(page, visit, tmp_path):
    shutil.copytree(page, tmp_path / "web")
    path = tmp_path / "web/models/m_xy.tflite"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with hosting.site(tmp_path / "web") as (url, _):
        assert_failed(
            visit("fails", url), "models/m_xy.tflite is not the one that was exported", "checksum"
        )


def test_values_that_are_not_numbers_are_not_shown(models, files, visit, tmp_path):
    write_page(tmp_path / "web", "Not numbers", [page_model(models["nan_xy"], "nan_xy")])
    with hosting.site(tmp_path / "web") as (url, _):
        result = visit("fails", url, files={"image": files["square"]})
    assert_failed(result, "values that are not numbers")
    assert result["errors"] == []


def test_after_too_little_memory_the_next_image_has_a_fresh_start(
    page, models, files, visit, tmp_path
):
    shutil.copytree(page, tmp_path / "web")
    script, where = tmp_path / "web/litert/index.js", "async runWithArray(input) {"
    count = "self.calls = (self.calls ?? 0) + 1;"
    text = "WebAssembly.Memory.grow(): could not allocate memory"
    fault = f'if (self.calls === 2) throw new RangeError("{text}");'
    script.write_text(script.read_text().replace(where, where + count + fault))
    with hosting.site(tmp_path / "web") as (url, _):
        result = visit("recovery", url, files=files)
    assert_quiet(result, url)
    assert "memory of this browser was not enough" in result["said"]
    assert result["gone"]
    assert result["requests"].count("/worker.js") == 2
    assert_near(tmp_path / "out/recovered.png", litert(models["m_xy"], read(files["square"])))


def test_a_browser_without_webassembly_gets_a_message(page, visit):
    with hosting.site(page) as (url, _):
        result = visit("fails", url, init="delete globalThis.WebAssembly")
    assert_failed(result, "has no WebAssembly", "current Firefox, Chrome, Edge or Safari")


def test_a_page_opened_from_a_folder_says_how_to_open_it(page, visit):
    result = visit("folder", (page / "index.html").as_uri())
    assert "python -m http.server" in result["said"]
    assert "http://localhost:8000" in result["said"]


@pytest.fixture(scope="module")
def page_file(models, tmp_path_factory):
    """The same page as one file, at an address that is none of a server."""
    path = tmp_path_factory.mktemp("file") / "to a friend.html"
    offered = [page_model(models[name], name) for name in ("m_xy", "m_yx")]
    try:
        write_page_file(path, "Horses and zebras", offered)
    except UserError as error:
        if "npm could not fetch" not in str(error):
            raise
        pytest.skip(str(error))
    return path.as_uri()


def test_one_file_from_a_disk_does_what_the_page_does(page_file, page, files, visit, tmp_path):
    result = visit("tour", page_file, files=files)
    assert (result["errors"], result["hosts"], result["violations"]) == ([], [], [])
    assert result["title"] == "Horses and zebras"
    assert "WebAssembly, 1 thread" in result["dropped"]
    shutil.move(tmp_path / "out", tmp_path / "out_file")
    with hosting.site(page) as (url, _):
        visit("tour", url, files=files)
    for path in (tmp_path / "out").glob("*_*.png"):
        assert (read(path) == read(tmp_path / "out_file" / path.name)).all(), path.name


def test_one_file_on_a_phone(page_file, files, visit):
    size = {"width": 360, "height": 740}
    result = visit("phone", page_file, files=files, viewport=size, touch=True, dark=True)
    assert (result["errors"], result["hosts"], result["violations"]) == ([], [], [])
    assert result["width"] <= 360


def test_one_file_that_was_cut_off_says_so(page_file, visit, tmp_path):
    path = tmp_path / "cut.html"
    text = Path(unquote(urlsplit(page_file).path)).read_text(encoding="utf-8")
    place = text.index('id="file:models/m_xy.tflite"')
    path.write_text(text[: place + 2000], encoding="utf-8")
    assert_failed(visit("fails", path.as_uri()), "was cut off or changed on its way")
