"""The page with a server as its engine, in a real Chromium: what it sends and shows."""

import base64
import io
import json
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image, ImageOps

from cyclegan_tf.export import web
from tests.browser import hosting
from tests.browser.checks import assert_failed, assert_quiet, read
from tests.helpers.image_files import exif

pytestmark = pytest.mark.slow

SIDE = 64
# Taken upright by a camera that lies on its side: it shows 200 x 300.
PHOTO_PX = (300, 200)


def waves(width, height):
    """A smooth image of all colors, uint8 (height, width, 3)."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return np.rint(
        127.5 + 127.5 * np.stack([np.sin(9 * x + 4 * y), np.cos(7 * y), np.sin(11 * x * y)], -1)
    ).astype(np.uint8)


def noise(width, height):
    """An image that no PNG makes smaller, uint8 (height, width, 3)."""
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def square(tmp_path):
    path = tmp_path / "square.png"
    Image.fromarray(waves(SIDE, SIDE)).save(path)
    return path


@pytest.fixture
def turned(tmp_path):
    path = tmp_path / "turned.jpg"
    Image.fromarray(waves(*PHOTO_PX)).save(path, exif=exif(6), quality=95)
    return path


@pytest.fixture
def served(tmp_path):
    """The page's own files with a models.json that names the server as the engine."""
    folder = tmp_path / "served"
    folder.mkdir()
    for name in web.PAGE_FILES:
        shutil.copy(web.PAGE / name, folder / name)
    manifest = {
        "name": "m_xy",
        "direction": "xy",
        "label": "A to B",
        "input_channels": 3,
        "output_channels": 3,
    }
    manifest |= {"bytes": 1, "sha256": ""}
    (folder / "models.json").write_text(
        json.dumps({"title": "Served", "engine": "server", "models": [manifest]})
    )
    return folder


def limit(served, **limits):
    """Puts limits into models.json; those it lacks are none."""
    manifest = json.loads((served / "models.json").read_text())
    (served / "models.json").write_text(json.dumps({**manifest, "limits": limits}))


def sent(posts):
    """The one file that was posted, and the bytes of the body it was posted in."""
    ((_, body),) = posts
    content = base64.b64decode(body["instances"][0]["b64"])
    return content, body_bytes(content)


def body_bytes(content):
    """Length of the body that carries a file."""
    instance = {"b64": base64.b64encode(content).decode()}
    return len(
        json.dumps(
            {"signature_name": "image_bytes", "instances": [instance]}, separators=(",", ":")
        )
    )


def test_a_server_as_engine(served, square, visit, tmp_path):
    with hosting.site(served) as (url, posts):
        result = visit("simple", url, files={"image": square})
    assert_quiet(result, url)
    (path, body), *others = posts
    assert others == []
    assert path in ("/v1/models/m_xy:predict", "/v1/models/m_xy%3Apredict")
    assert body["signature_name"] == "image_bytes"
    assert base64.b64decode(body["instances"][0]["b64"]) == square.read_bytes()
    assert (read(tmp_path / "out/image.png") == 255 - read(square)).all()
    assert "by the server" in result["said"]
    assert "are sent to the server" in result["privacy"]
    assert "stay in this browser" not in result["body"]
    assert not any("litert" in each or each.endswith("worker.js") for each in result["requests"])


def test_a_server_gets_other_kinds_of_images_as_png(served, square, visit, tmp_path):
    Image.open(square).save(tmp_path / "square.webp", lossless=True)
    with hosting.site(served) as (url, posts):
        visit("simple", url, files={"image": tmp_path / "square.webp"})
    content, _ = sent(posts)
    assert content.startswith(b"\x89PNG")
    assert (read(io.BytesIO(content)) == read(square)).all()


def test_an_image_chosen_before_the_page_is_ready_is_translated(served, square, visit):
    with hosting.site(served) as (url, _):
        result = visit("early", url, files={"image": square})
    assert result["said"].startswith("Translated")


def test_the_page_waits_for_a_server_that_is_loading(served, square, visit):
    ready = json.loads((served / "models.json").read_text())
    documents = iter([{**ready, "models": [], "loading": True}, ready])
    with hosting.site(served, documents={"/models.json": documents}) as (url, _):
        result = visit("early", url, files={"image": square})
    assert_quiet(result, url)
    assert result["said"].startswith("Translated")


def test_a_server_with_many_models_names_them(served, visit):
    manifest = json.loads((served / "models.json").read_text())
    manifest["models"].append({**manifest["models"][0], "name": "other_xy"})
    (served / "models.json").write_text(json.dumps(manifest))
    with hosting.site(served, answer=lambda _: (404, {"error": "gone"})) as (url, _):
        result = visit("glance", url)
    assert_quiet(result, url)
    assert "A to B (m_xy) A to B (other_xy)" in result["body"]
    assert result["violations"] == []


@pytest.mark.parametrize(
    ("text", "words"), [("{", "is damaged"), ('{"engine": "server", "models": []}', "no model")]
)
def test_a_manifest_of_no_use_is_reported(served, visit, text, words):
    (served / "models.json").write_text(text)
    with hosting.site(served) as (url, _):
        assert_failed(visit("fails", url), words)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            (400, {"error": "image_bytes[0] has <b>too many</b> pixels"}),
            "has <b>too many</b> pixels",
        ),
        (
            (429, {"error": "queue is full"}),
            "The server is busy: queue is full Try again in a moment.",
        ),
        ((500, b"<html>"), "HTTP 500"),
        ((200, {"predictions": [{"b64": "AAAA"}]}), "answer is not an image"),
        ((200, {"predictions": []}), "its answer holds no image"),
    ],
)
def test_what_a_server_refuses_is_shown(served, square, visit, answer, words):
    with hosting.site(served, answer=lambda _: answer) as (url, _):
        assert_failed(visit("fails", url, files={"image": square}), words)


def test_sizes_within_limits(tmp_path):
    hosting.need("node")
    rng = np.random.default_rng(1)
    drawn = np.rint(np.exp(rng.uniform(0, 10, (2000, 4)))).astype(int).tolist()
    named = [
        [4000, 3000, 2**21, 8192],
        [3, 9000, 2**21, 8192],
        [1, 5000, 1000, 8192],
        [8, 8, 1, 1],
        [60, 40, 2400, 60],
    ]
    for name in ("images.js", "detail.js", "problems.js"):
        shutil.copy(web.PAGE / name, tmp_path / name)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "cases.json").write_text(json.dumps(named + drawn))
    program = """
      import { readFileSync } from "node:fs";
      import { within } from "./images.js";
      const cases = JSON.parse(readFileSync("cases.json", "utf8"));
      console.log(JSON.stringify(cases.map(([w, h, pixels, side]) => within(w, h, { pixels, side
      }))));
    """
    (tmp_path / "run.js").write_text(program)
    done = subprocess.run(
        ["node", "run.js"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    made = json.loads(done.stdout)
    assert made[:5] == [[1672, 1254], [3, 8192], [1, 1000], [1, 1], [60, 40]]
    for (width, height, pixels, side), (w, h) in zip(named + drawn, made, strict=True):
        assert 1 <= w <= width
        assert 1 <= h <= height
        assert w * h <= pixels
        assert max(w, h) <= side
        if width * height <= pixels and max(width, height) <= side:
            assert (w, h) == (width, height)
        else:
            ratio, longer, shorter = min(width, height) / max(width, height), max(w, h), min(w, h)
            assert (w < h) <= (width < height)
            assert (h < w) <= (height < width)
            assert abs(longer * ratio - shorter) < 1
            assert longer in (side, pixels) or (longer + 1) ** 2 * ratio > pixels


@pytest.mark.parametrize(
    ("limits", "size"),
    [({"max_pixels": 10_000, "max_side": 8192}, (81, 122)), ({"max_side": 100}, (67, 100))],
)
def test_a_image_above_a_servers_limits_is_reduced(served, turned, visit, tmp_path, limits, size):
    limit(served, **limits)
    with hosting.site(served) as (url, posts):
        result = visit("simple", url, files={"image": turned})
    assert_quiet(result, url)
    content, _ = sent(posts)
    assert content.startswith(b"\x89PNG")
    given = read(io.BytesIO(content))
    with Image.open(turned) as image:
        upright = np.asarray(ImageOps.exif_transpose(image).resize(size, Image.Resampling.BOX))
    assert given.shape == upright.shape
    assert np.abs(given.astype(int) - upright).mean() < 4
    assert (read(tmp_path / "out/image.png") == 255 - given).all()
    reduced = (
        f"Reduced from 200 × 300 px to {size[0]} × {size[1]}: this server takes no larger images."
    )
    assert result["said"].endswith(reduced)
    assert result["canvases"] == [list(size)] * 2


def test_a_image_within_a_servers_limits_is_sent_as_it_is(served, turned, visit):
    limit(
        served, max_pixels=200 * 300, max_side=300, max_body_bytes=body_bytes(turned.read_bytes())
    )
    with hosting.site(served) as (url, posts):
        result = visit("simple", url, files={"image": turned})
    assert_quiet(result, url)
    assert sent(posts)[0] == turned.read_bytes()
    assert result["said"].endswith("by the server. 200 × 300 px.")


def test_a_jpeg_of_too_many_bytes_is_compressed_again(served, visit, tmp_path):
    path = tmp_path / "fine.jpg"
    Image.fromarray(noise(*PHOTO_PX)).save(path, quality=97, subsampling=0)
    most = body_bytes(path.read_bytes()) - 1
    limit(served, max_body_bytes=most)
    with hosting.site(served) as (url, posts):
        result = visit("simple", url, files={"image": path})
    assert_quiet(result, url)
    content, length = sent(posts)
    assert content.startswith(b"\xff\xd8\xff")
    assert length <= most
    assert read(io.BytesIO(content)).shape == (200, 300, 3)
    assert result["said"].endswith(
        "300 × 200 px, compressed again: this server takes no larger images."
    )


@pytest.mark.parametrize(
    ("suffix", "magic"), [("png", b"\x89PNG"), ("jpg", b"\xff\xd8\xff")], ids=["png", "jpg"]
)
def test_a_image_of_too_many_bytes_is_reduced(served, visit, tmp_path, suffix, magic):
    path, most = tmp_path / f"noise.{suffix}", 40_000
    Image.fromarray(noise(*PHOTO_PX)).save(path, **({"quality": 95} if suffix == "jpg" else {}))
    limit(served, max_pixels=50_000, max_side=8192, max_body_bytes=most)
    with hosting.site(served) as (url, posts):
        result = visit("simple", url, files={"image": path})
    assert_quiet(result, url)
    content, length = sent(posts)
    assert content.startswith(magic)
    assert most / 2 < length <= most
    height, width, _ = read(io.BytesIO(content)).shape
    assert abs(width - 1.5 * height) < 2
    assert f"Reduced from 300 × 200 px to {width} × {height}: this server" in result["said"]
    assert result["canvases"] == [[width, height]] * 2
    assert read(tmp_path / "out/image.png").shape == (height, width, 3)


def test_a_server_that_takes_no_image_at_all(served, square, visit):
    limit(served, max_body_bytes=100)
    with hosting.site(served) as (url, posts):
        assert_failed(
            visit("fails", url, files={"image": square}), "takes no files as large as an image"
        )
    assert posts == []
