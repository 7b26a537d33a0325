"""What machines agree on, with their messages played by hand; real processes are in
test_training_together.py."""

import json

import numpy as np
import pytest

from cyclegan_tf.config.experiment import Data, Experiment, Generator, Logging, Loss, Training
from cyclegan_tf.data import sources
from cyclegan_tf.errors import UserError
from cyclegan_tf.train import multi_worker as workers
from tests.helpers import tiny


class Played:
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


def facts(**sections):
    return workers.experiment_fingerprint(Experiment(**sections), "float32")


def test_equal_facts_pass_and_places_and_free_fields_do_not_matter():
    mine, other = facts(), facts(data=Data(source="elsewhere"), logging=Logging(log_every_steps=3))
    assert mine == other
    workers.check_same(Played(0, [json.dumps(mine)] * 3), mine)


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"loss": Loss(cycle_x=9.0)}, "loss.cycle_x is 9.0 there, 10.0 on the chief"),
        ({"training": Training(seed=3)}, "training.seed is 3 there, 0 on the chief"),
    ],
)
def test_a_different_machine_is_named_with_its_field_on_every_machine(sections, told):
    mine, other = facts(), facts(**sections)
    texts = [json.dumps(mine), json.dumps(mine), json.dumps(other)]
    for number, own in enumerate((mine, mine, other)):
        with pytest.raises(UserError, match="Machine 2 differs from machine 0") as caught:
            workers.check_same(Played(number, texts), own)
        assert told in str(caught.value)


def test_files_are_told_apart_by_what_is_in_them(tmp_path):
    for name, text in (("a", "x"), ("b", "x"), ("c", "y")):
        (tmp_path / f"{name}.keras").write_text(text)
    told = [
        facts(generator=Generator(init_file_xy=str(tmp_path / f"{name}.keras"))) for name in "abc"
    ]
    assert told[0] == told[1] != told[2]
    assert told[0]["generator.init_file_xy"].startswith("a file ")
    assert told[0]["generator.init_file_yx"] is None


def test_another_version_is_a_different_fact(monkeypatch):
    mine = facts()
    monkeypatch.setattr(workers, "_digest_of_code", lambda: "another")
    assert {name for name in mine if facts()[name] != mine[name]} == {"the code of cyclegan_tf"}


def opened(root):
    return sources.open_folder(root, 3, 3, 10**6)


def test_other_images_are_different_facts(tmp_path):
    first = workers.data_fingerprint(opened(tiny.folder(tmp_path / "a")))
    assert first == workers.data_fingerprint(opened(tiny.folder(tmp_path / "b")))
    more = workers.data_fingerprint(opened(tiny.folder(tmp_path / "c", (6, 4, 2, 2))))
    assert {name for name in first if first[name] != more[name]} == {"the number of X's images"}


def test_any_machines_signal_and_the_chiefs_clock_and_patience_hold_for_all():
    of_chief, of_other = [0.0, 0.0, 12.5, 1.0], [0.0, 15.0, 0.0, 0.0]
    assert workers.agree(Played(0, others=[of_other]), None, 12.5, True) == (15, 12.5, True)
    assert workers.agree(Played(1, others=[of_chief]), 15, 99.0, False) == (15, 12.5, True)
    assert workers.agree(Played(0, others=[[0.0] * 4]), None, 1.0, False) == (None, 1.0, False)
