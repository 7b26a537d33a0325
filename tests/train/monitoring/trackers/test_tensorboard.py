"""What TensorBoard's own reader and its server find."""

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.train.monitoring.trackers.tensorboard import TensorBoard
from tests.helpers.errors import refused

CONFIG = {"data.crop_size_px": 64}
TEXT = "data:\n  crop_size_px: 64\n"


def read(folder):
    curves = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    curves.Reload()
    return curves


def server(logs):
    """TensorBoard's HTTP interface in this process: a path, and a body to post, to JSON."""
    from tensorboard import default, program
    from tensorboard.backend.application import TensorBoardWSGIApp
    from tensorboard.backend.event_processing.data_ingester import LocalDataIngester
    from werkzeug.test import Client

    board = program.TensorBoard(default.get_plugins())
    board.configure(logdir=str(logs), reload_interval=0, reload_task="blocking")
    found = LocalDataIngester(board.flags)
    found.start()
    client = Client(TensorBoardWSGIApp(board.flags, board.plugin_loaders, found.data_provider))
    return lambda path, body=None: json.loads(
        (client.get(path) if body is None else client.post(path, json=body)).get_data()
    )


def test_the_experiment_and_the_networks_are_written_once(tmp_path):
    from tensorboard.plugins.graph import keras_util

    board = TensorBoard(tmp_path, CONFIG, TEXT)
    one = build_generator("resnet_6blocks", filters=2, blocks=1, name="generator_xy")
    board.begin(0, {"generator_xy": one})
    board.begin(1, {"generator_xy": one})
    board.close(finished=True)
    train = read(tmp_path / "train")
    shown = train.Tensors("config")[0].tensor_proto.string_val[0].decode()
    assert shown == "    data:\n      crop_size_px: 64\n"
    (description,) = train.Tensors("generator_xy")
    graph = keras_util.keras_model_to_graph_def(
        json.loads(description.tensor_proto.string_val[0].decode())
    )
    nodes = {node.name: list(node.input) for node in graph.node}
    assert all(before in nodes for inputs in nodes.values() for before in inputs)
    assert len(nodes["generator_xy/block1_add"]) == 2
    assert train.SummaryMetadata("generator_xy").plugin_data.plugin_name == "graph_keras_model"


def test_every_tag_of_a_training_has_a_description(tiny_run):
    found = {}
    for folder in ("train", "test"):
        curves = read(tiny_run / "logs" / folder)
        for tag in curves.Tags()["tensors"]:
            if curves.SummaryMetadata(tag).plugin_data.plugin_name == "scalars":
                found[folder, tag] = curves.SummaryMetadata(tag).summary_description
    assert {("train", "loss/cycle_x"), ("train", "speed/steps_per_second")} <= set(found)
    assert {("test", "score/color_swd_yx"), ("test", "speed/scoring_seconds")} <= set(found)
    assert [tag for tag, text in found.items() if not text] == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_runs_are_compared_by_their_fields_and_scores(tiny_run):
    ask = server(tiny_run.parent)
    found = ask("/data/plugin/hparams/experiment", {"experimentName": ""})
    assert "generator.filters" in {field["name"] for field in found["hparamInfos"]}
    metrics = {(m["name"]["group"], m["name"]["tag"]) for m in found["metricInfos"]}
    assert {("train", "loss/cycle_x"), ("test", "score/color_swd_xy")} <= metrics
    texts = ask("/data/plugin/text/tags")
    assert "config" in texts["run/logs/train"]


def test_images_and_texts(tmp_path):
    board = TensorBoard(tmp_path, CONFIG, TEXT)
    board.image(4, "samples_xy", np.zeros((2, 2, 3), np.uint8))
    board.text(4, "warning/collapse_xy", "G has collapsed.")
    board.flush()
    curves = read(tmp_path / "test")
    (event,) = curves.Tensors("warning/collapse_xy")
    assert (event.step, event.tensor_proto.string_val[0]) == (4, b"G has collapsed.")
    assert curves.Tensors("samples_xy")[0].step == 4
    board.close(finished=True)


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    board = TensorBoard(tmp_path, CONFIG, TEXT)

    def full(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(tf.summary, "scalar", full)
        with refused("unwritable", tmp_path):
            board.scalars("train", 1, {"loss/cycle_x": 0.5})
    board.close(finished=False)
