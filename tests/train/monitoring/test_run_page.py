"""A run's index.html."""

import json
import logging

import pytest

from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.monitoring import run_page
from cyclegan_tf.train.monitoring.run_page import RunPage, Standing

RUNNING = Standing("running", 400, 800, 0.5, 60.0, 60.0)
FINISHED = Standing("finished", 800, 800, 1.0, 120.0, 0.0)


@pytest.fixture
def run(tmp_path):
    run = RunDirectory(tmp_path / "a run")
    run.samples.mkdir(parents=True)
    rows = [
        {"kind": "train", "step": 200, "cycle_x": 0.5, "learning_rate": 2e-4},
        {"kind": "train", "step": 400, "cycle_x": 0.25, "learning_rate": None},
        {"kind": "score", "step": 300, "weights": "raw", "color_swd_xy": 612.5},
        {"kind": "score", "step": 300, "weights": "averaged", "color_swd_xy": 1.5},
    ]
    run.metrics_path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"kind": "tr')
    for step, direction in ((90, "xy"), (400, "xy"), (400, "yx")):
        (run.samples / f"step_{step:09d}_{direction}.png").write_bytes(b"")
    return run


@pytest.fixture
def page(run):
    return RunPage(run, "color_swd", False, {"xy": 900.0})


def test_it_shows_state_score_best_unchanged_input_samples_and_commands(page):
    text = page.render(RUNNING, best=(300, 512.0))
    for wanted in (
        "a run: running", "color_swd 612.5 (unchanged input 900)", "color_swd 512 at step 300",
        "samples/step_000000400_xy.png", "samples/step_000000400_yx.png", "cycle_x 0.25",
        "about 60 s left", "cyclegan-tf translate &#39;", "cyclegan-tf evaluate", "cyclegan-tf export",
    ):  # fmt: skip
        assert wanted in text
    assert "step_000000090" not in text


def test_it_loads_itself_again_only_while_training_runs_and_needs_no_network(page):
    running, finished = page.render(RUNNING, None), page.render(FINISHED, None)
    assert 'http-equiv="refresh"' in running
    assert 'http-equiv="refresh"' not in finished
    for text in (running, finished):
        assert "<script" not in text
        assert "//" not in text


def test_a_stopped_run_says_how_to_go_on(page):
    assert "cyclegan-tf train --run_dir &#39;" in page.render(
        Standing("stopped", 400, 800, 0.5, 60.0, 60.0), None
    )


def test_warnings_come_once_and_escaped(page):
    page.warn(10, "<b> collapsed")
    page.warn(90, "<b> collapsed")
    text = page.render(RUNNING, None)
    assert text.count("&lt;b&gt; collapsed") == 1
    assert "(step 10)" in text


def test_a_run_without_rows_has_a_page(tmp_path):
    page = RunPage(RunDirectory(tmp_path), "psnr", True, {})
    assert "<svg" not in page.render(RUNNING, None)


def test_it_is_written_at_most_every_ten_seconds_and_always_at_the_end(page, run, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(run_page.time, "monotonic", lambda: clock[0])
    target = run.path / "index.html"
    for seconds, state, is_written in (
        (0, RUNNING, True), (9, RUNNING, False), (2, RUNNING, True), (1, FINISHED, True),
    ):  # fmt: skip
        clock[0] += seconds
        target.unlink(missing_ok=True)
        page.draw(state, None)
        assert target.exists() == is_written


def test_a_page_that_takes_long_is_drawn_seldom(page, run, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(run_page.time, "monotonic", lambda: clock[0])

    def slow(*_):
        clock[0] += 1.0
        return "page"

    monkeypatch.setattr(page, "render", slow)
    page.draw(RUNNING, None)
    (run.path / "index.html").unlink()
    clock[0] += 150
    page.draw(RUNNING, None)
    assert not (run.path / "index.html").exists()


def test_a_page_that_cannot_be_written_is_one_warning(page, run, caplog):
    (run.path / "index.html").mkdir()
    with caplog.at_level(logging.WARNING):
        page.draw(FINISHED, None)
        page.draw(FINISHED, None)
    assert caplog.text.count("index.html cannot be written") == 1
