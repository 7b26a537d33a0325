"""Versions come and go; nothing that is in use does."""

import gc
import shutil
import threading
import weakref

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.errors import UserError
from cyclegan_tf.serve.models.limits import RequestError
from cyclegan_tf.serve.models.store import ModelStore
from tests.helpers import foreign, tiny_serving


@pytest.fixture
def out(tmp_path):
    tiny_serving.save(tmp_path)
    return tmp_path


def states(store, name="tiny_xy"):
    return {status.version: status.state for status in store.statuses(name)}


def break_version(out, number, name="tiny_xy"):
    folder = out / "saved_model" / name / str(number)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"no model")
    return folder


def level_of(version):
    return int(
        version.signature("serving_default")({"images": np.zeros((1, 1, 1, 3), np.float32)})[
            "translated"
        ].max()
    )


def test_nothing_is_served_before_the_first_look(out):
    seen = []
    store = ModelStore(out, on_load=seen.append)
    assert not store.ready
    assert store.names() == ["tiny_xy"]
    assert store.newest() == []
    assert states(store) == {}
    with pytest.raises(
        RequestError, match=r"Servable not found for request: Latest\(tiny_xy\)"
    ) as caught:
        store.get("tiny_xy")
    assert caught.value.status == 404
    store.poll()
    assert store.ready
    assert [version.number for version in seen] == [1]
    assert store.get("tiny_xy") is store.get("tiny_xy", 1) is seen[0]
    store.stop()
    assert not store.ready


@pytest.mark.parametrize(
    ("name", "number"), [("none", None), ("none", 1), ("tiny_xy", 2), ("", None)]
)
def test_unknown_names_and_numbers(out, name, number):
    store = ModelStore(out)
    store.poll()
    for ask in (store.get, store.lease, store.statuses):
        with pytest.raises(RequestError, match="ot f") as caught:
            ask(name, number)
        assert caught.value.status == 404


def test_a_new_version_takes_over_and_the_old_one_waits_for_its_requests(out):
    store = ModelStore(out)
    store.poll()
    old = store.lease("tiny_xy")
    tiny_serving.save(out, version=2, level=255)
    store.poll()
    assert store.get("tiny_xy").number == 2
    assert states(store) == {1: "UNLOADING", 2: "AVAILABLE"}
    with pytest.raises(RequestError, match=r"Specific\(tiny_xy, 1\)"):
        store.get("tiny_xy", 1)
    assert level_of(old) == 0  # still works
    store.give_back(old)
    store.poll()
    assert states(store) == {1: "END", 2: "AVAILABLE"}
    gone = weakref.ref(old)
    del old
    gc.collect()
    assert gone() is None
    shutil.rmtree(out / "saved_model" / "tiny_xy" / "1")
    store.poll()
    assert states(store) == {2: "AVAILABLE"}


def test_it_says_what_a_model_was_made_of(out, caplog):
    extra = out / "saved_model" / "tiny_xy" / "1" / "assets.extra"
    extra.mkdir(exist_ok=True)
    (extra / "card.json").write_text('{"checkpoint": "best/step_18.npz (step 18)"}')
    with caplog.at_level("INFO", "cyclegan_tf.serve"):
        ModelStore(out).poll()
    assert any(
        "version 1: ready after" in m and "made of best/step_18.npz (step 18)" in m
        for m in caplog.messages
    )


def test_a_broken_version_is_reported_and_the_old_one_stays(out):
    store = ModelStore(out)
    store.poll()
    folder = break_version(out, 2)
    store.poll()
    assert store.get("tiny_xy").number == 1
    (status,) = store.statuses("tiny_xy", 2)
    assert (status.state, status.error_code) == ("END", "UNKNOWN")
    assert status.error_message
    assert store.ready
    shutil.rmtree(folder)
    tiny_serving.save(out, version=2)  # repaired: its files changed
    store.poll()
    assert store.get("tiny_xy").number == 2


def test_a_status_names_no_path_of_the_server(out, caplog):
    card = out / "saved_model" / "tiny_xy" / "1" / "assets.extra" / "card.json"
    card.parent.mkdir(exist_ok=True)
    card.write_text('{"files": {"saved_model.pb": "0"}}')
    break_version(out, 2)
    store = ModelStore(out)
    store.poll()
    for number in (1, 2):
        (status,) = store.statuses("tiny_xy", number)
        assert str(out) not in status.error_message
    assert store.statuses("tiny_xy", 1)[0].error_message.startswith(
        "tiny_xy/1/saved_model.pb is not"
    )
    assert str(out) in caplog.text  # the log is for who runs the server


def test_a_broken_version_is_not_tried_again_and_again(out, caplog):
    break_version(out, 2)
    store = ModelStore(out)
    with caplog.at_level("INFO", "cyclegan_tf.serve"):
        store.poll()
        store.poll()
        store.poll()
    assert sum("cannot be served" in message for message in caplog.messages) == 1
    assert store.get("tiny_xy").number == 1


def test_a_model_of_broken_versions_only_keeps_the_server_from_being_ready(out):
    folder = break_version(out, 1, "other_yx")
    store = ModelStore(out)
    store.poll()
    assert not store.ready
    assert [version.model for version in store.newest()] == ["tiny_xy"]
    shutil.rmtree(folder)
    tiny_serving.save(out, "other_yx")
    store.poll()
    assert store.ready
    break_version(out, 1, "late_xy")
    store.poll()
    assert store.ready  # a model that came later takes nothing away
    assert store.names() == ["late_xy", "other_yx", "tiny_xy"]


def test_taking_the_newest_away_goes_back(out):
    tiny_serving.save(out, version=2)
    store = ModelStore(out)
    store.poll()
    assert states(store) == {2: "AVAILABLE"}
    shutil.rmtree(out / "saved_model" / "tiny_xy" / "2")
    store.poll()
    store.poll()
    assert store.get("tiny_xy").number == 1
    assert states(store) == {1: "AVAILABLE"}
    shutil.rmtree(out / "saved_model")
    store.poll()
    assert store.get("tiny_xy").number == 1


def test_all_versions(out):
    tiny_serving.save(out, version=3)
    break_version(out, 2)
    store = ModelStore(out, keep="all")
    store.poll()
    assert states(store) == {1: "AVAILABLE", 2: "END", 3: "AVAILABLE"}
    assert store.get("tiny_xy").number == 3
    assert store.get("tiny_xy", 1).number == 1
    shutil.rmtree(out / "saved_model" / "tiny_xy" / "1")
    store.poll()
    assert states(store) == {1: "END", 2: "END", 3: "AVAILABLE"}
    store.poll()
    assert states(store) == {2: "END", 3: "AVAILABLE"}


def test_folders_are_watched(out):
    store = ModelStore(out, poll_seconds=0.05)
    store.start()
    tiny_serving.wait_until(lambda: store.ready)
    version = store.lease("tiny_xy")
    tiny_serving.save(out, version=2)
    tiny_serving.wait_until(lambda: store.get("tiny_xy").number == 2)
    assert states(store)[1] == "UNLOADING"
    threading.Timer(0.1, store.give_back, [version]).start()
    tiny_serving.wait_until(lambda: states(store)[1] == "END")
    assert store.stop()


def test_a_failed_first_look_is_not_loading_for_ever(out, monkeypatch):
    def fail(_):
        raise PermissionError("no")

    monkeypatch.setattr("cyclegan_tf.serve.models.store.find_versions", fail)
    store = ModelStore(out, poll_seconds=60)
    store.start()
    tiny_serving.wait_until(lambda: not store.loading)
    store.stop()


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(UserError) as caught:
        ModelStore(tmp_path)
    assert (caught.value.code, caught.value.field) == ("missing", str(tmp_path))


def test_programs_are_served_only_if_they_are_trusted(tmp_path):
    def act(images):
        tf.io.write_file(str(tmp_path / "written"), "x")
        return images

    foreign.save_program(tmp_path / "out" / "mine" / "1", act)
    store = ModelStore(tmp_path / "out")
    store.poll()
    (status,) = store.statuses("mine")
    assert (status.state, status.error_code) == ("END", "UNKNOWN")
    assert "give --trust" in status.error_message
    assert not (tmp_path / "written").exists()
    trusting = ModelStore(tmp_path / "out", trust=True)
    trusting.poll()
    assert states(trusting, "mine") == {1: "AVAILABLE"}
