"""What machines agree on, with their messages played by hand; real processes are in
test_several_devices.py."""

import json
import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from cyclegan_tf.config.experiment import Data, Experiment, Generator, Logging, Loss, Training
from cyclegan_tf.data import checksums, sources
from cyclegan_tf.train import multi_worker
from tests.helpers import tiny
from tests.helpers.errors import refused


class PlayedWorker:
    """Machine `worker` of several whose other messages are given."""

    def __init__(self, worker, texts=(), others=()):
        self.worker, self.is_chief, self.workers = (
            worker,
            worker == 0,
            max(len(texts), len(others) + 1),
        )
        self._texts, self._others = texts, others

    def all_gather_text(self, text):
        assert json.loads(text) == json.loads(self._texts[self.worker])
        return list(self._texts)

    def all_reduce_sum(self, value):
        return value + sum(np.asarray(other) for other in self._others)


def fingerprint(**sections):
    return multi_worker.experiment_fingerprint(Experiment(**sections), "float32")


def test_equal_fingerprints_pass_and_places_and_mutable_fields_do_not_matter():
    mine, other = (
        fingerprint(),
        fingerprint(data=Data(source="elsewhere"), logging=Logging(log_every_steps=3)),
    )
    assert mine == other
    multi_worker.check_consistent(PlayedWorker(0, [json.dumps(mine)] * 3), mine)


@pytest.mark.parametrize(
    ("sections", "field", "reason"),
    [
        (
            {"loss": Loss(cycle_x=9.0)},
            "loss.cycle_x",
            "loss.cycle_x is 9.0 there, 10.0 on the chief",
        ),
        (
            {"training": Training(seed=3)},
            "training.seed",
            "training.seed is 3 there, 0 on the chief",
        ),
    ],
)
def test_a_different_machine_is_named_with_its_field_on_every_machine(sections, field, reason):
    mine, other = fingerprint(), fingerprint(**sections)
    texts = [json.dumps(mine), json.dumps(mine), json.dumps(other)]
    for number, own in enumerate((mine, mine, other)):
        with refused("mismatch", field, match="Machine 2 differs from machine 0") as caught:
            multi_worker.check_consistent(PlayedWorker(number, texts), own)
        assert reason in str(caught.value)


def test_files_differ_by_what_is_in_them(tmp_path):
    for name, text in (("a", "x"), ("b", "x"), ("c", "y")):
        (tmp_path / f"{name}.keras").write_text(text)
    a, b, c = (
        fingerprint(generator=Generator(init_file_xy=str(tmp_path / f"{name}.keras")))
        for name in "abc"
    )
    assert a == b != c
    assert a["generator.init_file_xy"].startswith("a file ")
    assert a["generator.init_file_yx"] is None


def test_another_version_makes_another_fingerprint(monkeypatch):
    mine = fingerprint()
    monkeypatch.setattr(multi_worker, "_digest_of_code", lambda: "another")
    assert {name for name in mine if fingerprint()[name] != mine[name]} == {
        "the code of cyclegan_tf"
    }


def opened(root, pairs=()):
    source = sources.open_folder(root, 3, 3, 10**6)
    order = SimpleNamespace(pairs=pairs)
    return SimpleNamespace(source=source, sums=checksums.of_source(source), order=order)


def test_other_images_make_another_fingerprint(tmp_path):
    first = multi_worker.data_fingerprint(opened(tiny.folder(tmp_path / "a")))
    assert first == multi_worker.data_fingerprint(opened(tiny.folder(tmp_path / "b")))
    one_more = tiny.folder(tmp_path / "c") / "trainA"
    shutil.copy(one_more / "0.png", one_more / "more.png")
    more = multi_worker.data_fingerprint(opened(tmp_path / "c"))
    assert {name for name in first if first[name] != more[name]} == {"the number of X's images"}
    other = tiny.folder(tmp_path / "d") / "trainB" / "1.png"
    other.write_bytes(other.read_bytes() + b"more")
    replaced = multi_worker.data_fingerprint(opened(tmp_path / "d"))
    assert [name for name in first if first[name] != replaced[name]] == ["the number of Y's images"]
    paired = multi_worker.data_fingerprint(opened(tmp_path / "a", ((0, 1),)))
    assert [name for name in first if first[name] != paired[name]] == ["the number of pairs"]


def test_any_workers_signal_and_the_chiefs_clock_and_stop_hold_for_all():
    def synchronize(number, other, *own):
        return multi_worker.synchronize(PlayedWorker(number, others=[other]), *own)

    of_chief, of_other = [0.0, 0.0, 12.5, 1.0], [0.0, 15.0, 0.0, 0.0]
    assert synchronize(0, of_other, None, 12.5, True) == (15, 12.5, True)
    assert synchronize(1, of_chief, 15, 99.0, False) == (15, 12.5, True)
    assert synchronize(0, [0.0] * 4, None, 1.0, False) == (None, 1.0, False)


def test_the_chiefs_variables_and_clock_are_everybodys():
    class Sent:
        def broadcast(self, arrays):
            assert set(arrays) == {"w", "step"}
            return {"w": np.full(2, 7.0), "step": np.array(5.0)}

    variable = keras.Variable(np.zeros(2))
    assert multi_worker.share_start(Sent(), {"w": variable}, {"step": 0.0}) == {"step": 5.0}
    assert variable.numpy().tolist() == [7.0, 7.0]
