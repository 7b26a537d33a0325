"""The Hub's model card: front matter that parses, no license out of nowhere, an app that runs."""

import ast

import yaml

from cyclegan_tf.export.hub.card import Direction, app_text, card_text, finite

FILES = {
    "m_xy.keras": "the network",
    "m_xy.tflite": "for phones",
    "samples.png": "images",
}
BOTH = [
    Direction("m_xy", 'horse "A" to zebra', {"psnr": 21.456789, "swd": 91.5}),
    Direction("m_yx", "zebra to horse", {}),
]


def parts(text):
    _, front, body = text.split("---\n", 2)
    return yaml.safe_load(front), body


def test_front_matter_says_what_the_hub_asks():
    front, body = parts(card_text("m", BOTH, FILES, "mit"))
    assert front["license"] == "mit"
    assert (front["library_name"], front["pipeline_tag"]) == ("keras", "image-to-image")
    assert {"cyclegan", "keras", "tflite"} <= set(front["tags"])
    assert "onnx" not in front["tags"]
    assert front["metrics"] == ["psnr", "swd"]
    (index,) = front["model-index"]
    (result,) = index["results"]
    assert result["metrics"][0] == {
        "type": "psnr",
        "name": 'PSNR (dB), horse "A" to zebra',
        "value": 21.456789,
    }
    assert {"type", "name"} <= set(result["dataset"])
    assert '| horse "A" to zebra | PSNR (dB) | 21.46 |' in body
    assert "There is no ONNX file" in body
    assert "`m_xy.tflite` | for phones" in body


def test_no_license_is_made_up_and_no_score():
    front, body = parts(card_text("m", BOTH[1:], {**FILES, "m_xy.onnx": ""}, "unknown"))
    assert front["license"] == "unknown"
    assert "has named no license: ask" in body
    assert "None were measured" in body
    assert "There is no ONNX file" not in body
    assert not {"metrics", "model-index"} & set(front)


def test_the_app_is_short_python_that_names_the_files():
    text = app_text('a "quoted" name', BOTH)
    tree = ast.parse(text)
    assert len(tree.body) <= 12
    files = next(n for n in tree.body if isinstance(n, ast.Assign))
    assert ast.literal_eval(files.value) == {
        'horse "A" to zebra': "m_xy.tflite",
        "zebra to horse": "m_yx.tflite",
    }


def test_only_numbers_are_scores():
    given = {"psnr": 20, "ssim": float("nan"), "mae": "x", "step": 3, "swd": 1.5}
    assert finite(given) == {"psnr": 20.0, "swd": 1.5}
