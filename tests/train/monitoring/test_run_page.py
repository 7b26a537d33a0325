"""A run's index.html."""

import json
import logging
from types import SimpleNamespace

import pytest

from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.budget import Budget
from cyclegan_tf.train.monitoring import run_page
from cyclegan_tf.train.monitoring.run_page import RunPage

FORECAST = "about 11 hours (14,996 steps at 2.6 s, measured)"


def training(step=400, seconds_left=3600.0):
    return SimpleNamespace(
        budget=Budget(800, 540.0, 200),
        step=step,
        seconds=60.0,
        seconds_left=lambda: seconds_left,
        forecast=SimpleNamespace(sentence=FORECAST),
    )


def rows_of(run, *rows):
    run.metrics_path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def run(tmp_path):
    run = RunDirectory(tmp_path / "a run")
    run.samples.mkdir(parents=True)
    rows_of(
        run,
        {"kind": "train", "step": 200, "cycle_x": 0.5, "learning_rate": 2e-4},
        {"kind": "train", "step": 400, "cycle_x": 0.25, "learning_rate": None},
        {"kind": "score", "step": 300, "weights": "raw", "color_swd_xy": 612.5},
        {"kind": "score", "step": 300, "weights": "averaged", "color_swd_xy": 1.5},
        {"kind": "warning", "step": 0, "name": "flat_images", "text": "<b> is flat"},
        {"kind": "warning", "step": 1200, "name": "collapse_xy", "text": "G has collapsed"},
        {"kind": "warning", "step": 90, "name": "collapse_yx", "text": "F has collapsed"},
    )
    with run.metrics_path.open("a") as file:
        file.write('{"kind": "tr')  # cut short
    for step, direction in ((90, "xy"), (400, "xy"), (400, "yx")):
        (run.samples / f"step_{step:09d}_{direction}.png").write_bytes(b"")
    return run


@pytest.fixture
def page(run):
    best = SimpleNamespace(step=300, score=512.0)
    return RunPage(
        run, "color_swd", lambda: {"xy": 900.0}, best, lambda kind: kind == "collapse_yx"
    )


def test_it_shows_state_score_best_unchanged_input_samples_and_commands(page):
    text = page.render("running", training())
    for wanted in (
        "a run: running", "Score, X to Y", "color_swd 612.5 (unchanged input 900)",
        "color_swd 512 at step 300",
        "samples/step_000000400_xy.png", "samples/step_000000400_yx.png", "cycle_x 0.25",
        "400 steps in 60 s", "about 60 minutes, until ", "800 steps, or at 9 minutes",
        f"<dd>{FORECAST}</dd>", "cyclegan-tf train --run_dir &#39;", "cyclegan-tf translate &#39;",
        "cyclegan-tf evaluate", "cyclegan-tf export", "<title>50 %",
    ):  # fmt: skip
        assert wanted in text
    assert "step_000000090" not in text


def test_it_loads_itself_again_only_while_training_runs_and_needs_no_network(page):
    running = page.render("running", training())
    finished = page.render("finished", training(800))
    assert 'http-equiv="refresh"' in running
    assert "To come" in running
    for absent in ('http-equiv="refresh"', "To come", "Ends at", "Forecast"):
        assert absent not in finished
    assert "--training.more_minutes 30" in finished
    assert "--training.more_minutes" not in running
    for text in (running, finished):
        assert "<script" not in text
        assert "//" not in text


def test_a_stopped_run_says_why_and_how_to_go_on(page):
    page.problem = "At step 401 the loss cycle_x is not finite."
    text = page.render("stopped", training())
    assert page.problem in text
    assert "cyclegan-tf train --run_dir &#39;" in text


def test_warnings_are_the_logs_own_escaped_and_what_is_over_comes_last(page):
    text = page.render("running", training())
    found = ["&lt;b&gt; is flat", "first at step 1,200", "F has collapsed", "over now; first at"]
    places = [text.index(part) for part in found]
    assert places == sorted(places)
    assert text.count("over now") == 1


def test_a_run_without_rows_has_a_page(tmp_path):
    page = RunPage(RunDirectory(tmp_path), "psnr", dict, None, lambda kind: False)
    text = page.render("running", training(seconds_left=0.0))
    assert "<svg" not in text
    assert "To come" not in text


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(run_page.time, "monotonic", lambda: now[0])
    return now


def drawn(page, run, state="running"):
    """Whether a page is written now, where there is news."""
    (run.path / "index.html").unlink(missing_ok=True)
    page.has_news = True
    page.draw(state, training())
    return (run.path / "index.html").exists()


def test_it_is_written_at_most_every_ten_seconds_and_always_at_the_end(page, run, clock):
    assert drawn(page, run)
    clock[0] += 9
    assert not drawn(page, run)
    clock[0] += 2
    assert drawn(page, run)
    clock[0] += 1
    assert drawn(page, run, "finished")


def test_without_news_it_is_not_written_again(page, run, clock):
    assert drawn(page, run)
    before = (run.path / "index.html").stat().st_ino
    clock[0] += 60
    page.draw("running", training())
    assert (run.path / "index.html").stat().st_ino == before


def test_a_page_that_takes_long_is_drawn_seldom(page, run, clock, monkeypatch):
    def slow(*_):
        clock[0] += 1.0
        return "page"

    monkeypatch.setattr(page, "render", slow)
    assert drawn(page, run)
    clock[0] += 150
    assert not drawn(page, run)
    clock[0] += 51
    assert drawn(page, run)


def test_a_page_that_cannot_be_written_is_one_warning(page, run, caplog):
    (run.path / "index.html").mkdir()
    with caplog.at_level(logging.WARNING):
        page.draw("finished", training())
        page.draw("finished", training())
    assert caplog.text.count("index.html cannot be written") == 1


def test_directions_are_called_by_their_domains(run):
    labels = {"xy": "apples to pears", "yx": "pears to apples"}
    page = RunPage(run, "color_swd", lambda: {"xy": 900.0}, None, lambda kind: False, labels)
    text = page.render("running", training())
    for wanted in ("Score, apples to pears</dt>", "<h3>pears to apples <small>", "</i>apples to"):
        assert wanted in text
    assert "X to Y" not in text
