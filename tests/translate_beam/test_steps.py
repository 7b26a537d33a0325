"""Batches of mixed sizes, failures, dead letters."""

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.image_files import noise

pytest.importorskip("apache_beam", reason='needs Apache Beam: pip install ".[beam]"')

from cyclegan_tf.images import io as image_io
from cyclegan_tf.translate_beam import steps
from cyclegan_tf.translate_beam.steps import Example, SavedModelHandler
from tests.helpers.errors import refused


class Fake:
    """In place of a SavedModel: negatives; refuses black images, gives NaN for white."""

    def __init__(self):
        self.shapes = []
        self.signatures = {"serving_default": self}

    def __call__(self, images):
        self.shapes.append(tuple(images.shape))
        if any(np.all(image == -1) for image in images.numpy()):
            raise tf.errors.InvalidArgumentError(None, None, "black")
        return {"translated": tf.where(images == 1, np.nan, -images)}


def test_images_of_one_size_go_together_and_come_out_in_order():
    model = Fake()
    images = [
        noise(8, 8, seed=1) // 2 + 1,
        noise(9, 8, dtype=np.uint16) // 2 + 1,
        noise(8, 8, seed=2) // 2 + 1,
    ]
    batch = [Example(f"{index}", f"t{index}", pixels) for index, pixels in enumerate(images)]
    results = list(SavedModelHandler("", 4).run_inference(batch, model))
    assert sorted(model.shapes) == [(1, 9, 8, 3), (2, 8, 8, 3)]
    for before, after in zip(batch, results, strict=True):
        assert (after.source, after.target, after.error) == (before.source, before.target, None)
        assert after.pixels.dtype == before.pixels.dtype
        white = np.iinfo(before.pixels.dtype).max
        assert (
            np.abs(white - before.pixels.astype(int) - after.pixels).max()
            <= before.pixels.itemsize - 1
        )


def test_one_that_fails_does_not_take_the_others_with_it():
    good = noise(8, 8) // 2 + 1
    black, white = np.zeros_like(good), np.full_like(good, 255)
    batch = [
        Example(str(index), "", pixels) for index, pixels in enumerate([good, black, good, white])
    ]
    errors = [result.error for result in SavedModelHandler("", 4).run_inference(batch, Fake())]
    assert errors[0] is None
    assert errors[2] is None
    assert "the model refuses it: " in errors[1]
    assert "NaN" in errors[3]


def test_whatever_the_model_raises_is_the_failure_of_one_image():
    def fails(images):
        raise KeyError("lost")

    (result,) = SavedModelHandler("", 4).run_inference(
        [Example("s", "t", noise(8, 8))], SimpleNamespace(signatures={"serving_default": fails})
    )
    assert result.error == "the model refuses it: 'lost'"


def test_large_images_count_for_several():
    counted = SavedModelHandler("", 8).batch_elements_kwargs()["element_size_fn"]
    sizes = [
        counted(Example("", "", np.zeros((side, side, 3), np.uint8)))
        for side in (16, 724, 1448, 2048, 3000)
    ]
    assert sizes == [1, 1, 4, 8, 8]


def test_sources_of_one_target_are_not_lost_silently(tmp_path):
    choose = steps.ChooseSource(overwrite=False)
    target = str(tmp_path / "a.png")
    lost, kept = choose.process((target, ["/in/a.png", "/in/a.gif", "/in/a.gif"]))
    assert kept == ("/in/a.gif", target)
    assert lost.value == ("/in/a.png", f"another image, /in/a.gif, goes to {target}")
    (tmp_path / "a.png").write_bytes(b"")
    assert list(choose.process((target, ["/in/a.gif"]))) == []
    assert list(steps.ChooseSource(overwrite=True).process((target, ["/in/a.gif"]))) == [
        ("/in/a.gif", target)
    ]


def test_dead_letters_are_written_whole_and_sorted(tmp_path):
    path = tmp_path / "deep" / "er" / "dead.jsonl"
    step = steps.WriteDeadLetters(str(path))
    step.process([("/b", 'is "ü"'), ("/a", "x"), ("/a", "x"), ("/c\udce9", "y")])
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert lines == [
        {"path": "/a", "reason": "x"},
        {"path": "/b", "reason": 'is "ü"'},
        {"path": "/c\udce9", "reason": "y"},
    ]
    step.process([])
    assert path.read_text() == ""
    assert os.listdir(path.parent) == ["dead.jsonl"]


def test_reasons_leave_out_the_name_beside_them(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (failure,) = steps.Read(3).process((str(tmp_path / "a.png"), "t"))
    assert failure.value == (str(tmp_path / "a.png"), "is empty (0 bytes)")


def test_a_target_that_cannot_hold_the_result_is_a_failure_and_a_full_disk_ends_the_job(
    tmp_path, monkeypatch
):
    step = steps.Write(str(tmp_path))
    (failure,) = step.process(Example("s", str(tmp_path / "a.jpg"), noise(8, 8, 2)))
    assert failure.tag == steps.FAILURES
    assert "holds (H, W, C) with (1, 3) channels" in failure.value[1]

    def full(*_):
        raise OSError(28, "No space left on device")

    too_long = str(tmp_path / f"{'n' * 256}.png")
    (failure,) = step.process(Example("s", too_long, noise(8, 8)))
    assert failure.value == ("s", f"{too_long} cannot be written: File name too long.")
    monkeypatch.setattr(image_io, "save", full)
    with refused(
        "unwritable",
        match=r"a\.png cannot be written: No space left on device",
        kind=steps.UserError,
    ):
        list(step.process(Example("s", str(tmp_path / "a.png"), noise(8, 8))))
