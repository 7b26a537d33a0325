"""Scores are those of the checkpoint, whoever measured them; folders stay private."""

import json

import pytest

from cyclegan_tf.runs.evaluations import evaluated, file_of, known_scores

ORIGIN = "runs/mine/checkpoints/best/step_000000057.npz (step 57, raw weights)"


def test_scores_are_those_of_this_checkpoint(tmp_path):
    report = {"directions": {"xy": {"generator": ORIGIN, "scores": {"psnr": 9.5, "fid": None}}}}
    path = tmp_path / "evaluation.json"
    assert evaluated(tmp_path, "xy", ORIGIN) == {}
    path.write_text(json.dumps(report))
    assert evaluated(tmp_path, "xy", f"/elsewhere/{ORIGIN}") == {"psnr": 9.5, "fid": None}
    assert evaluated(tmp_path, "xy", ORIGIN.replace("57", "58")) == {}
    assert evaluated(tmp_path, "yx", ORIGIN) == {}
    for damaged in ("", "[]", '{"directions": {"xy": 3}}'):
        path.write_text(damaged)
        assert evaluated(tmp_path, "xy", ORIGIN) == {}


def test_where_nothing_was_evaluated_training_knows(tmp_path):
    row = {"kind": "score", "step": 57, "weights": "raw", "psnr_xy": 3.5, "psnr_yx": 4.5}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(row))
    assert known_scores(tmp_path, "yx", ORIGIN) == {"psnr": 4.5}
    assert known_scores(tmp_path, "yx", "generator_yx.keras") == {}
    report = {"directions": {"yx": {"generator": ORIGIN, "scores": {"psnr": 9, "fid": None}}}}
    (tmp_path / "evaluation.json").write_text(json.dumps(report))
    assert known_scores(tmp_path, "yx", ORIGIN) == {"psnr": 9.0}


@pytest.mark.parametrize("origin", [ORIGIN, "/home/me/secret/step_000000057.npz (a/b)", "m.keras"])
def test_folders_are_left_out(origin):
    assert file_of(origin).startswith(("step_", "m.keras"))
    assert "secret" not in file_of(origin)
