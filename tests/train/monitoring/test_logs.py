"""Rows of metrics.jsonl and curves of TensorBoard."""

import json
from types import SimpleNamespace

import tensorflow as tf

from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.monitoring.logs import MetricsLogger
from tests.helpers.errors import refused


def test_rows_are_json_even_when_a_value_is_not_finite(tmp_path):
    run = RunDirectory(tmp_path)
    logger = MetricsLogger(run)
    logger.log_losses(
        "train", 3, 0, {"cycle_x": 0.5, "gradient_norm_generators": float("inf")}, 2.0
    )
    logger.log_losses("test", 3, 0, {"cycle_x": 0.25})
    logger.close()
    rows = [json.loads(line) for line in run.metrics_path.read_text().splitlines()]
    assert rows[0] == {
        "kind": "train",
        "step": 3,
        "epoch": 0,
        "cycle_x": 0.5,
        "gradient_norm_generators": None,
        "steps_per_second": 2.0,
    }
    assert rows[1] == {"kind": "test", "step": 3, "epoch": 0, "cycle_x": 0.25}


def test_scores_warnings_and_single_numbers(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = RunDirectory(tmp_path)
    logger = MetricsLogger(run)
    logger.log_scores(4, 1, "raw", {"swd_xy": 2.0, "psnr_xy": float("inf")})
    logger.log_scores(4, 1, "averaged", {"swd_xy": 1.5})
    logger.log_warning(4, "collapse_xy", "G has collapsed.")
    logger.log_warning(8, "collapse_xy", "G has collapsed.")
    logger.log_scalar("speed/scoring_seconds", 4, 0.5)
    logger.close()
    assert [json.loads(line) for line in run.metrics_path.read_text().splitlines()] == [
        {"kind": "score", "step": 4, "epoch": 1, "weights": "raw", "swd_xy": 2.0, "psnr_xy": None},
        {"kind": "score", "step": 4, "epoch": 1, "weights": "averaged", "swd_xy": 1.5},
        {"kind": "warning", "step": 4, "name": "collapse_xy", "text": "G has collapsed."},
    ]
    curves = {}
    for folder in ("test", "averaged"):
        curves[folder] = EventAccumulator(str(run.logs / folder), size_guidance={"tensors": 0})
        curves[folder].Reload()
    assert set(curves["averaged"].Tags()["tensors"]) == {"score/swd_xy"}
    assert {"score/swd_xy", "warning/collapse_xy", "speed/scoring_seconds"} <= set(
        curves["test"].Tags()["tensors"]
    )
    event, again = curves["test"].Tensors("warning/collapse_xy")
    assert again.step == 8
    assert (event.step, event.tensor_proto.string_val[0]) == (4, b"G has collapsed.")


def test_logs_that_cannot_be_written_are_one_sentence(tmp_path, monkeypatch):
    logger = MetricsLogger(RunDirectory(tmp_path))

    def full(*_, **__):
        raise tf.errors.ResourceExhaustedError(
            None, None, "Failed to flush\nNo space left on device"
        )

    with monkeypatch.context() as patched:
        patched.setattr(tf.summary, "scalar", full)
        with refused(
            "unwritable",
            RunDirectory(tmp_path).logs,
            match=r"logs cannot be written \(Failed to flush No space left on device\)",
        ):
            logger.log_losses("train", 1, 0, {"cycle_x": 0.5})
    logger.close()


def test_the_experiment_and_what_curves_mean_are_in_tensorboard(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.graph import keras_util
    from tensorboard.plugins.hparams import plugin_data_pb2

    run = RunDirectory(tmp_path)
    run.config_path.write_text("data:\n  crop_size_px: 64\n  x_dir: null\n")
    logger = MetricsLogger(run)
    one = build_generator("resnet_6blocks", filters=2, blocks=1, name="generator_xy")
    networks = dict.fromkeys(("generator_yx", "discriminator_x", "discriminator_y"))
    model = SimpleNamespace(generator_xy=one, **networks)
    logger.log_beginning(0, model)
    logger.log_beginning(1, model)
    logger.log_losses("train", 1, 0, {"cycle_x": 0.5})
    logger.close()
    curves = EventAccumulator(str(run.logs / "train"))
    curves.Reload()
    shown = curves.Tensors("config")[0].tensor_proto.string_val[0].decode()
    assert "    data:\n      crop_size_px: 64\n" in shown
    (description,) = curves.Tensors("generator_xy")
    graph = keras_util.keras_model_to_graph_def(
        json.loads(description.tensor_proto.string_val[0].decode())
    )
    nodes = {node.name: list(node.input) for node in graph.node}
    assert all(before in nodes for inputs in nodes.values() for before in inputs)
    assert len(nodes["generator_xy/block1_add"]) == 2
    assert curves.SummaryMetadata("generator_xy").plugin_data.plugin_name == "graph_keras_model"
    content = curves.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    values = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert {name: value.number_value for name, value in values.items()} == {"data.crop_size_px": 64}
    assert "there and back" in curves.SummaryMetadata("loss/cycle_x").summary_description
