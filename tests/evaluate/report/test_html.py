"""The report: one file, every image inside and described, nothing fetched."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from PIL import Image

from cyclegan_tf.evaluate.report import html
from cyclegan_tf.evaluate.report.html import data_uri, render_report
from cyclegan_tf.evaluate.results import ReportImage
from tests.helpers import tiny_evaluation as tiny

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Tags with attributes; fails on tags that do not nest."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, name):
        return [attrs for tag, attrs in self.tags if tag == name]


def test_the_page_is_complete_in_itself():
    text = render_report(tiny.evaluation())
    page = Page(text)
    assert page.all("script") == page.all("link") == []
    assert not re.search(r"https?://|url\(|@import", text)
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    assert page.all("html") == [{"lang": "en"}]
    assert "width=device-width" in text


def test_every_color_of_the_page_has_a_dark_partner():
    text = (Path(html.__file__).parent / "templates" / "style.css").read_text()
    light, dark = (
        set(re.findall(r"(--\w+): #", block))
        for block in text.split("prefers-color-scheme: dark")[:2]
    )
    assert light == dark
    assert set(re.findall(r"var\((--\w+)\)", text)) - {"--columns"} == light


def test_images_have_descriptions_and_their_own_pixels():
    page = Page(render_report(tiny.evaluation()))
    assert [image["alt"] for image in page.all("img")][:4] == [
        "x of a.png", "G(x) of a.png", "truth of a.png", "x of b<i>.png"
    ]  # fmt: skip
    for image, value in zip(page.all("img"), (0, 128, 255), strict=False):
        pixels = Image.open(io.BytesIO(base64.b64decode(image["src"].split(",")[1])))
        assert pixels.size == (12, 8)
        assert np.asarray(pixels).flatten().tolist() == [value] * 288


def test_names_cannot_break_the_page():
    text = render_report(tiny.evaluation())
    assert "b<i>.png" not in text
    assert "b&lt;i&gt;.png" in text
    assert "two &lt;folders&gt;" in text
    assert "runs/a &amp; b" in text
    title = render_report(tiny.evaluation(title="{{ found.notes }}"))
    assert "<title>Evaluation of {{ found.notes }}</title>" in title


def test_tables_have_captions_and_headers_and_say_what_is_beaten():
    text = render_report(tiny.evaluation())
    page = Page(text)
    assert len(page.all("table")) == len(page.all("caption")) == 3
    assert all(cell.get("scope") in ("row", "col") for cell in page.all("th"))
    rows = re.findall(r'<tr><th scope="row">(.*?)</tr>', text)
    psnr = next(row for row in rows if row.startswith("PSNR"))
    assert re.findall(r'<td>([\d.∞]+) <span class="([\w-]+)"', psnr) == [
        ("18.00", "beaten"), ("∞", "not-beaten"), ("10.00", "beaten")
    ]  # fmt: skip
    swd = next(row for row in rows if row.startswith("SWD"))
    assert 'aria-label="beaten">✓</span>' in swd  # 80 against 90, less is better
    assert "<td>10.0</td>" in swd  # real images themselves: not a rival
    fid = next(row for row in rows if row.startswith("FID"))
    assert "<small>90.0 to 110.0</small>" in fid


def test_histograms_and_groups():
    names = ("worst", "median", "best")
    groups = {name: [tiny.report_image(f"{name}.png", 20.0)] for name in names}
    text = render_report(tiny.evaluation(tiny.direction(groups=groups)))
    assert [text.index(f"{title} by PSNR") for title in ("Worst", "Median", "Best")] == sorted(
        text.index(f"{title} by PSNR") for title in ("Worst", "Median", "Best")
    )
    assert text.count('<svg class="histogram"') == 2
    assert (
        "Histogram of PSNR, dB: 2 images from 20.00 to 21.00, median 20.50; unchanged input 18.00"
        in text
    )


def test_an_order_that_is_no_quality_says_so():
    text = render_report(tiny.evaluation(tiny.direction(ranked_by="luminance_correlation")))
    assert "which is no measure of quality" in text


def test_two_directions_are_linked_and_nothing_empty_is_report_image():
    bare = tiny.direction(
        direction="yx", baselines={}, swd_levels={}, classes={}, groups={"all": []}, per_image={}
    )
    page = Page(render_report(tiny.evaluation(tiny.direction(), bare, notes=[])))
    assert [link["href"] for link in page.all("a")] == ["#xy", "#yx"]
    assert {"xy", "yx", "protocol"} == {section["id"] for section in page.all("section")}
    assert len(page.all("table")) == 4


def test_large_and_odd_images_are_reduced_and_colored():
    def size(image):
        return Image.open(io.BytesIO(base64.b64decode(data_uri(image).split(",")[1])))

    assert size(tiny.image(size=(500, 1000))).size == (384, 192)
    gray = size(np.zeros((4, 4, 1), np.float32))
    assert gray.mode == "RGB"


def test_only_small_images_show_their_pixels():
    columns = {"x": tiny.image(size=(128, 8)), "G(x)": tiny.image(size=(129, 8))}
    found = tiny.direction(groups={"all": [ReportImage("a.png", {}, columns)]})
    assert [
        image.get("class") for image in Page(render_report(tiny.evaluation(found))).all("img")
    ] == [
        "small",
        None,
    ]


def test_domains_are_called_by_their_names_and_these_are_escaped():
    found = tiny.direction(label="<b> to pears"), tiny.direction(direction="yx")
    text = render_report(tiny.evaluation(*found))
    assert "<h2>&lt;b&gt; to pears, G(x)</h2>" in text
    assert '<a href="#xy">&lt;b&gt; to pears</a>' in text
    assert "<h2>Y → X, F(y)</h2>" in text
