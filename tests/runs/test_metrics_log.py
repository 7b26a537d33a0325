"""Rows of metrics.jsonl."""

import json

from cyclegan_tf.runs.metrics_log import keep_rows, rows, scores_at


def test_scores_are_those_of_the_checkpoint(tmp_path):
    rows = [
        {"kind": "test", "step": 1, "cycle_x": 3},
        {"kind": "test", "step": 2, "cycle_x": 2},
        {"kind": "score", "step": 2, "weights": "raw", "swd_xy": 9},
        {"kind": "score", "step": 2, "weights": "averaged", "swd_xy": 8},
        {"kind": "score", "step": 3, "weights": "raw", "swd_xy": 7},
        {"kind": "train", "step": 4, "cycle_x": 0},
    ]
    log = tmp_path / "metrics.jsonl"
    log.write_text("\n".join(map(json.dumps, rows)) + '\n{"kind": "test", "st')
    assert scores_at(log, 2, "averaged") == {
        "step": 2,
        "weights": "averaged",
        "cycle_x": 2,
        "swd_xy": 8,
    }
    assert scores_at(log, 2) == {"step": 2, "weights": "raw", "cycle_x": 2, "swd_xy": 9}
    assert scores_at(log, 3) == {
        "step": 3,
        "weights": "raw",
        "swd_xy": 7,
    }  # losses of another step would mislead
    assert scores_at(log, 4) == {"step": 2, "cycle_x": 2}
    assert scores_at(log, 0) == {}
    assert scores_at(tmp_path / "none", 2) == {}


def test_former_names_of_scores(tmp_path):
    log = tmp_path / "metrics.jsonl"
    log.write_text('{"kind": "score", "step": 1, "weights": "raw", "colour_swd_xy": 2.5}\n')
    assert list(rows(log)) == [{"kind": "score", "step": 1, "weights": "raw", "color_swd_xy": 2.5}]


def test_rows_that_are_written_again_are_cut_and_damaged_lines(tmp_path):
    log = tmp_path / "metrics.jsonl"
    good = [{"step": 10, "kind": "train"}, {"step": 20, "kind": "train"}]
    late = [{"step": 20, "kind": "test"}, {"step": 30, "kind": "train"}]
    lines = [json.dumps(row).encode() for row in good + late]
    # none of these rows matters to anybody
    bad = [
        b"5",
        b"null",
        b"[]",
        b'{"step": "1"}',
        b'{"step": 1\xff}',
        b"[" * 100_000,
        b'{"step": 3',
    ]
    log.write_bytes(b"\n".join(lines[:1] + bad[:-1] + lines[1:] + bad[-1:]))
    assert list(rows(log)) == good + late
    assert scores_at(log, 20) == {"step": 20}
    keep_rows(log, lambda kind, step: step <= 20 and (kind, step) != ("test", 20))
    assert [json.loads(line) for line in log.read_text().splitlines()] == good
    keep_rows(tmp_path / "absent", lambda *_: True)
    assert not (tmp_path / "absent").exists()
