"""JPEGs that are damaged behind their head."""

import io

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.serve.models import damage
from cyclegan_tf.serve.models.limits import RequestError
from tests.helpers.tiny_serving import image, png


def jpeg(**options):
    stream = io.BytesIO()
    Image.fromarray(image(64, 64)).save(stream, "JPEG", **options)
    return stream.getvalue()


def strings(*files):
    return {"image_bytes": np.array(files, object)}


@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
def test_jpegs_with_missing_pixels_are_refused(progressive, capfd):
    whole = jpeg(progressive=progressive)
    half = len(whole) // 2
    for wrong in (whole[:half] + b"\xff\xd9", whole[:half] + b"\xff\xd3" + whole[half:]):
        with pytest.raises(RequestError, match="image 2 of 2 is damaged") as caught:
            damage.check_pixels(strings(whole, wrong))
        assert caught.value.status == 400
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("at", [2, 4], ids=["length", "table"])
def test_what_libjpeg_says_of_a_broken_head_is_in_the_answer_and_not_in_the_log(at, capfd):
    wrong = bytearray(jpeg())
    place = wrong.index(b"\xff\xc4") + at
    wrong[place : place + 2] = b"\x00\x15" if at == 2 else b"\x00\xff"
    with pytest.raises(RequestError, match=r"image 1 of 1 is damaged \(Bogus"):
        damage.check_pixels(strings(bytes(wrong)))
    assert capfd.readouterr().err == ""


def test_whole_files_pass():
    gray = io.BytesIO()
    Image.fromarray(image(9, 9)).convert("L").save(gray, "JPEG")
    for data in (jpeg(), jpeg(progressive=True), gray.getvalue(), jpeg() + bytes(9), png(image())):
        assert not damage.check_pixels(strings(data))
    assert not damage.check_pixels({"images": np.zeros((1, 2, 2, 3), np.float32)})


def test_a_filled_up_file_is_whole_and_noisy(capfd):
    whole = jpeg()
    assert damage.check_pixels(strings(whole[:-2] + bytes(7) + whole[-2:]))
    assert capfd.readouterr().err == ""


def test_what_tensorflow_refuses_is_left_to_the_model():
    damage.check_pixels(strings(jpeg()[:-100], b"\xff\xd8\xff"))
