"""Against Trackio itself, where it is installed (extra `trackio`), in a folder."""

import sys

import numpy as np
import pytest

from cyclegan_tf.train.monitoring.trackers.tracker import Beginning

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def storage(tmp_path, monkeypatch):
    """Trackio asks for its folder when it is imported."""
    for name in [name for name in sys.modules if name.split(".")[0] == "trackio"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    pytest.importorskip("trackio", reason='extra "trackio"')
    from trackio.sqlite_storage import SQLiteStorage

    return SQLiteStorage


def test_config_curves_images_and_warnings_arrive_and_the_run_goes_on(storage, tmp_path, capsys):
    from cyclegan_tf.train.monitoring.trackers.trackio_client import TrackioClient

    client = TrackioClient(Beginning("mine", {"training.seed": 0}, "", tmp_path, None))
    client.scalars(50, {"train/loss/cycle_x": 0.5})
    client.image(50, "samples_xy", np.zeros((4, 4, 3), np.uint8))
    client.text(50, "warning/collapse_xy", "G has collapsed.")
    client.close(finished=False)
    again = TrackioClient(Beginning("mine", {"training.seed": 0}, "", tmp_path, client.id))
    again.scalars(100, {"train/loss/cycle_x": 0.25})
    again.close(finished=True)
    assert again.id == client.id
    assert client.id.startswith("mine-")
    assert storage.get_runs("cyclegan_tf") == [client.id]
    rows = storage.get_logs("cyclegan_tf", client.id)
    curve = [
        (row["step"], row["train/loss/cycle_x"]) for row in rows if "train/loss/cycle_x" in row
    ]
    assert curve == [(50, 0.5), (100, 0.25)]
    kinds = {
        name: row[name]["_type"] for row in rows for name in row if isinstance(row[name], dict)
    }
    assert kinds == {"samples_xy": "trackio.image", "warning/collapse_xy": "trackio.markdown"}
    assert storage.get_run_config("cyclegan_tf", client.id)["training.seed"] == 0
    assert capsys.readouterr().out == ""
