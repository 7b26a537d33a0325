"""Against MLflow itself, where it is installed (extra `mlflow`), in a file."""

import numpy as np
import pytest

from cyclegan_tf.train.monitoring.trackers.mlflow_client import MlflowClient
from cyclegan_tf.train.monitoring.trackers.tracker import Beginning

mlflow = pytest.importorskip("mlflow", reason='extra "mlflow"')
pytestmark = pytest.mark.filterwarnings("ignore")

CONFIG = {f"training.field{index}": index for index in range(130)}


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(None)


def test_config_curves_images_and_warnings_arrive_and_the_run_goes_on(store, tmp_path):
    client = MlflowClient(Beginning("mine", CONFIG, "training: {}\n", tmp_path, None))
    client.scalars(50, {"train/loss/cycle_x": 0.5})
    client.image(50, "samples_xy", np.zeros((4, 4, 3), np.uint8))
    client.text(50, "warning/collapse_xy", "G has collapsed.")
    client.close(finished=False)
    assert store.get_run(client.id).info.status == "KILLED"
    again = MlflowClient(Beginning("mine", CONFIG, "training: {}\n", tmp_path, client.id))
    again.scalars(100, {"train/loss/cycle_x": 0.25})
    again.close(finished=True)
    assert again.id == client.id
    (run,) = store.search_runs([store.get_experiment_by_name("cyclegan_tf").experiment_id])
    assert (run.info.run_name, run.info.status) == ("mine", "FINISHED")
    assert len(run.data.params) == 130
    assert run.data.tags["warning/collapse_xy"] == "step 50: G has collapsed."
    history = store.get_metric_history(run.info.run_id, "train/loss/cycle_x")
    assert [(point.step, point.value) for point in history] == [(50, 0.5), (100, 0.25)]
    names = {entry.path for entry in store.list_artifacts(run.info.run_id)}
    assert "config.yaml" in names
    (image, *_) = store.list_artifacts(run.info.run_id, "images")
    assert "samples_xy" in image.path


def test_a_run_that_this_store_does_not_have_is_begun_anew(store, tmp_path):
    client = MlflowClient(Beginning("mine", {}, "", tmp_path, "0" * 32))
    assert client.id != "0" * 32
    client.close(finished=True)
