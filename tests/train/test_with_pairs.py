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
    """Without a test split: its losses and samples take graphs of their own."""
    return tiny.folder(tmp_path_factory.mktemp("images"), (6, 5, 0, 0))


STEPS = ("--training.max_steps=6", "--logging.log_every_steps=1", "--quiet")
PAIRS = [[f"trainA/{number}.png", f"trainB/{number}.png"] for number in (0, 1, 4)]


@pytest.fixture(scope="module")
def paired(source, tmp_path_factory):
    """A run of three pairs from a list, which is gone; saved in its middle."""
    root = tmp_path_factory.mktemp("runs")
    listed = root / "list.csv"
    listed.write_text("\n".join(",".join(pair) for pair in PAIRS))
    options = ("--training.checkpoint_every_steps=3", "--data.cache=disk", "--loss.identity=0")
    words = tiny.words(source, root / "paired", f"--data.pairs={listed}", *options, *STEPS)
    assert train.main(words) == 0
    listed.unlink()
    return root / "paired"


def test_the_run_knows_its_pairs_and_logs_their_term(paired):
    assert json.loads((paired / "data.json").read_text())["pairs"] == PAIRS
    rows = [row for row in tiny.outcome(paired)[2] if row["kind"] == "train"]
    # every second image is shown with its partner
    assert [row["paired_y"] > 0 for row in rows] == [False, True] * 3
    assert "3 pairs of the 6 images of X and 5 of Y" in (paired / "index.html").read_text()
    assert "Difference from the truth, of pairs" in (paired / "index.html").read_text()
    assert inputs.training_pairs(paired / "generator_xy.keras").startswith("3 pairs of the")
    assert inspect_run(paired, 16)["images"]["pairs"] == 3


def test_stopped_and_resumed_equals_never_stopped(paired, tmp_path):
    run = tiny.rewound(paired, tmp_path / "run", 3)
    (run / "finished.json").unlink()
    # the list is gone: the run has its own record of the pairs
    assert train.main(["--run_dir", str(run), "--data.cache=off", "--quiet"]) == 0
    tiny.assert_same_outcome(paired, run)


def test_a_number_of_pairs_is_chosen_and_kept(source, tmp_path, monkeypatch):
    tiny.started(monkeypatch, tiny.words(source, tmp_path / "run", "--data.pairs=3", *STEPS))
    found = json.loads((tmp_path / "run" / "data.json").read_text())["pairs"]
    assert len(found) == 3
    assert all(x.replace("trainA", "trainB") == y for x, y in found)


def test_another_value_does_not_go_on(paired, source):
    for words in (["--data.pairs=auto"], ["--data.pairs_share=0.25"], ["--loss.paired=3"]):
        with refused("mismatch", words[0].lstrip("-").partition("=")[0]):
            train.main(["--run_dir", str(paired), *words])


def test_pix2pix_shows_all_pairs_to_conditional_discriminators(tmp_path, capsys):
    source, run = tiny.folder(tmp_path / "images", (3, 3, 1, 1)), tmp_path / "run"
    words = tiny.words(
        source, run, "--data.pairs=auto", "--discriminator.conditional=true", "--loss.cycle_x=0",
        "--loss.cycle_y=0", "--loss.adversarial_x=0", "--loss.paired=100", *STEPS,
    )  # fmt: skip
    assert train.main(words) == 0
    arrays, _, rows = tiny.outcome(run)
    assert {"paired_y", "discriminator_y"} <= set(rows[0])
    assert not {"paired_x", "discriminator_x", "cycle_x"} & set(rows[0])
    for kind in ("train", "test"):
        terms = [row["paired_y"] for row in rows if row["kind"] == kind]
        assert terms
        assert min(terms) > 0
    (pool,) = [array for name, array in arrays.items() if "pool_y" in name and array.ndim == 4]
    assert pool.shape == (3, 16, 16, 6)
    assert np.any(pool)
    capsys.readouterr()
    generators.load_generator(run, "yx")
    assert "no term of this run's loss reaches the generator of yx" in capsys.readouterr().err
