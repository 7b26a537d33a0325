"""The methods' commands are such as the programs take."""

import json

import pytest

from benchmarks.baselines import methods, train
from cyclegan_tf.config import files as config_files
from cyclegan_tf.train.plan import plan_training

OWN = [name for name, method in methods.METHODS.items() if method.words is None]
OURS = [n for n, m in methods.METHODS.items() if m.words is not None]


def words_of(name, tmp_path):
    command = methods.METHODS[name].command("demo", tmp_path / "run", seed=7, minutes=2.5)
    return command[1:3], command[3:]


def test_columns_stand_as_in_figure_5():
    assert list(methods.METHODS) == ["bigan", "cogan", "simgan", "cyclegan", "pix2pix"]


@pytest.mark.parametrize("name", OWN)
def test_methods_written_here_take_their_command(name, tmp_path):
    program, words = words_of(name, tmp_path)
    assert program == ["-m", "benchmarks.baselines.train"]
    given = train.parse(words)
    assert (given.method, given.data, given.minutes, given.seed) == (name, "demo", 2.5, 7)
    assert given.out == tmp_path / "run"


@pytest.mark.parametrize("name", OURS)
def test_our_training_takes_the_others(name, tmp_path):
    program, words = words_of(name, tmp_path)
    assert program == ["-m", "benchmarks.baselines.our_training"]
    config = config_files.find_config("configs/ablation/full.yaml")
    experiment = plan_training(
        [w if "full.yaml" not in w else str(config) for w in words]
    ).experiment
    assert experiment.training.max_minutes == 2.5
    assert experiment.training.seed == 7
    assert experiment.data.source == ("demo:paired" if name == "pix2pix" else "demo")
    assert experiment.data.crop_size_px == 64
    assert (experiment.loss.cycle_x > 0) == (name == "cyclegan")
    assert bool(experiment.loss.self_x and experiment.loss.self_y) == (name == "simgan")
    assert experiment.data.has_pairs == experiment.discriminator.conditional == (name == "pix2pix")


def test_a_training_is_finished_by_its_last_file(tmp_path):
    for name, last in (("cogan", "trained.json"), ("cyclegan", "generator_yx.keras")):
        method, path = methods.METHODS[name], tmp_path / name
        path.mkdir()
        assert not method.finished(path)
        (path / last).write_text(json.dumps({"steps": 3, "minutes": 2.0, "generator": 1.0}))
        assert method.finished(path)
    assert methods.METHODS["cogan"].length(tmp_path / "cogan") == {"steps": 3, "minutes": 2.0}
