"""Against wandb itself, where it is installed (extra `wandb`), offline."""

import json
import struct

import numpy as np
import pytest

from cyclegan_tf.train.monitoring.trackers.tracker import Beginning
from cyclegan_tf.train.monitoring.trackers.wandb_client import WandbClient

wandb = pytest.importorskip("wandb", reason='extra "wandb"')
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def records(folder):
    """All that a run's file holds: a header, then records cut at the ends of blocks of 32 KiB."""
    from wandb.proto import wandb_internal_pb2

    (path,) = folder.glob("wandb/offline-run-*/*.wandb")
    data, at, found, pieces = path.read_bytes(), 7, [], b""
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        pieces += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last piece
            found.append(wandb_internal_pb2.Record.FromString(pieces))
            pieces = b""
    return found


def nested(item):
    return item.key or ".".join(item.nested_key)


def test_config_curves_images_and_warnings_arrive_offline(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    begun = Beginning("mine", {"training.seed": 0}, "training:\n  seed: 0\n", tmp_path, None)
    client = WandbClient(begun)
    client.scalars(50, {"train/loss/cycle_x": 0.5})
    client.image(50, "samples_xy", np.zeros((4, 4, 3), np.uint8))
    client.text(50, "warning/collapse_xy", "G has collapsed.")
    client.close(finished=False)
    found = records(tmp_path)
    (run,) = [record.run for record in found if record.HasField("run")][:1]
    assert (run.run_id, run.display_name, run.project) == (client.id, "mine", "cyclegan_tf")
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert config["training.seed"] == 0
    values = {}
    for record in found:
        for item in record.history.item:
            values[nested(item)] = json.loads(item.value_json)
    assert (values["step"], values["train/loss/cycle_x"]) == (50, 0.5)
    assert values["samples_xy._type"] == "image-file"
    (alert,) = [record.alert for record in found if record.HasField("alert")]
    assert (alert.title, alert.text) == ("warning/collapse_xy", "G has collapsed.")
    again = WandbClient(Beginning("mine", {}, "", tmp_path, client.id))
    again.close(finished=True)
    assert again.id == client.id
