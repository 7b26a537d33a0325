"""Trainings with partners: exact resume, caches, what another value does, pix2pix."""

import json

import numpy as np
import pytest

from cyclegan_tf.evaluate import inputs
from cyclegan_tf.inspect.training_run import inspect_run
from cyclegan_tf.runs import generators
from cyclegan_tf.train import command as train
from tests.helpers import tiny
from tests.helpers.errors import refused


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return tiny.folder(tmp_path_factory.mktemp("images"), (6, 5, 2, 2))


@pytest.fixture(scope="module")
def paired(source, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "paired"
    assert train.main(tiny.words(source, run, "--data.pairs=3", *STEPS)) == 0
    return run


STEPS = ("--training.max_steps=6", "--logging.log_every_steps=1", "--quiet")


def test_the_run_knows_its_pairs_and_logs_their_term(paired, source):
    record = json.loads((paired / "data.json").read_text())
    assert len(record["pairs"]) == 3
    assert all(x.replace("trainA", "trainB") == y for x, y in record["pairs"])
    rows = [row for row in tiny.outcome(paired)[2] if row["kind"] == "train"]
    # every second image is shown with its partner
    assert [row["paired_y"] > 0 for row in rows] == [False, True] * 3
    assert "3 pairs of the 6 images of X and 5 of Y" in (paired / "index.html").read_text()
    assert "Difference from the truth, of pairs" in (paired / "index.html").read_text()
    assert inputs.training_pairs(paired / "generator_xy.keras").startswith("3 pairs of the")
    assert inspect_run(paired, 16)["images"]["pairs"] == 3
    tests = [row for row in tiny.outcome(paired)[2] if row["kind"] == "test"]
    assert tests[-1]["paired_x"] > 0


def test_stopped_and_resumed_equals_never_stopped(paired, source, tmp_path, monkeypatch):
    run, listed = tmp_path / "run", tmp_path / "list.csv"
    pairs = json.loads((paired / "data.json").read_text())["pairs"]
    listed.write_text("\n".join(",".join(pair) for pair in pairs))
    words = tiny.words(source, run, f"--data.pairs={listed}", "--data.cache=disk", *STEPS)
    assert tiny.interrupted(monkeypatch, words, 3) == 143
    listed.unlink()  # the run has its own record of them
    assert train.main(["--run_dir", str(run), "--data.cache=off", "--quiet"]) == 0
    tiny.assert_same_outcome(paired, run)


def test_another_value_does_not_go_on(paired, source):
    for words in (["--data.pairs=auto"], ["--data.pairs_share=0.25"], ["--loss.paired=3"]):
        with refused("mismatch", words[0].lstrip("-").partition("=")[0]):
            train.main(["--run_dir", str(paired), *words])


def test_pix2pix_shows_all_pairs_to_conditional_discriminators(source, tmp_path, capsys):
    run = tmp_path / "run"
    words = tiny.words(
        source, run, "--data.pairs=auto", "--discriminator.conditional=true", "--loss.cycle_x=0",
        "--loss.cycle_y=0", "--loss.adversarial_x=0", "--loss.paired=100", *STEPS,
    )  # fmt: skip
    assert train.main(words) == 0
    arrays, _, rows = tiny.outcome(run)
    assert {"paired_y", "discriminator_y"} <= set(rows[0])
    assert not {"paired_x", "discriminator_x", "cycle_x"} & set(rows[0])
    assert all(row["paired_y"] > 0 for row in rows if row["kind"] == "train")
    (pool,) = [array for name, array in arrays.items() if "pool_y" in name and array.ndim == 4]
    assert pool.shape == (3, 16, 16, 6)
    assert np.any(pool)
    capsys.readouterr()
    generators.load_generator(run, "yx")
    assert "no term of this run's loss reaches the generator of yx" in capsys.readouterr().err
