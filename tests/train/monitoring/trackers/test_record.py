"""What a run directory keeps of a tracker."""

from cyclegan_tf.train.monitoring.trackers.record import TrackerRecord


def test_the_next_process_finds_the_run_and_what_was_sent(tmp_path):
    path = tmp_path / "trackers" / "wandb.json"
    first = TrackerRecord(path)
    assert (first.id, first.sent) == (None, {})
    first.begin("one")
    first.add({"train/loss/cycle_x": 50})
    second = TrackerRecord(path)
    second.begin("one")
    assert (second.id, second.sent) == ("one", {"train/loss/cycle_x": 50})
    second.begin("another")  # which has nothing of it
    assert TrackerRecord(path).sent == {}


def test_a_damaged_record_begins_anew_with_a_warning(tmp_path, caplog):
    path = tmp_path / "wandb.json"
    path.write_text('{"id": "one", "sent": ')
    assert TrackerRecord(path).id is None
    assert "a new run is begun there" in caplog.text
