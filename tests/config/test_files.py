"""Experiment files and options under former names."""

import dataclasses

import pytest
import yaml

from cyclegan_tf.cli import Parser
from cyclegan_tf.config import files
from cyclegan_tf.config.experiment import SECTIONS, Experiment
from cyclegan_tf.errors import UserError

FORMER = [
    ("generator.colour_skip", True, "generator.color_skip", "auto"),
    ("generator.colour_skip", False, "generator.color_skip", "off"),
    ("generator.colour_skip", "always", "generator.color_skip", "on"),
    ("generator.color_skip", True, "generator.color_skip", "on"),
    ("generator.color_skip", False, "generator.color_skip", "off"),
    ("generator.long_skips", True, "generator.long_skips", "on"),
    ("generator.long_skips", False, "generator.long_skips", "off"),
    ("generator.long_skips", "auto", "generator.long_skips", "auto"),
    ("generator.network_xy", "a.keras", "generator.init_file_xy", "a.keras"),
    ("generator.network_yx", "a.keras", "generator.init_file_yx", "a.keras"),
    ("loss.adversarial", "vanilla", "loss.gan_mode", "vanilla"),
    ("training.ema", 10.0, "training.ema_half_life_images", 10.0),
    ("training.best_by", "mae", "training.best_metric", "mae"),
    ("training.patience", 3, "training.early_stopping_patience", 3),
    ("training.recompute", True, "training.gradient_checkpointing", True),
    ("logging.sample_pictures", 2, "logging.sample_images", 2),
    ("logging.test_pictures", 2, "logging.test_images", 2),
    ("logging.score_pictures", 2, "logging.score_images", 2),
]


def parsed(*words):
    parser = Parser()
    files.add_experiment(parser)
    return files.experiment_from(parser.parse(words))


def value_of(experiment, field):
    section, name = field.split(".")
    return getattr(getattr(experiment, section), name)


@pytest.mark.parametrize(("old", "value", "new", "expected"), FORMER)
def test_former_names_and_values_in_a_file(tmp_path, old, value, new, expected):
    section, name = old.split(".")
    path = tmp_path / "e.yaml"
    path.write_text(yaml.safe_dump({section: {name: value}}))
    read = files.load_yaml(path)
    assert read == {section: {new.split(".")[1]: expected}}
    assert value_of(Experiment.from_dict(read), new) == expected


@pytest.mark.parametrize(("old", "value", "new", "expected"), FORMER)
def test_former_names_and_values_as_options(old, value, new, expected):
    word = str(value).lower() if isinstance(value, bool) else str(value)
    for words in ([f"--{old}={word}"], [f"--{old}", word]):
        assert value_of(parsed(*words), new) == expected


def test_every_former_name_leads_to_a_field_and_every_one_is_tried():
    fields = {
        f"{name}.{field.name}"
        for name, cls in SECTIONS.items()
        for field in dataclasses.fields(cls)
    }
    assert {new for new, _ in files.RENAMED.values()} <= fields
    assert {old for old, *_ in FORMER} == set(files.RENAMED)


@pytest.mark.parametrize("word", ["on", "off", "auto"])
def test_on_and_off_are_words_although_yaml_reads_booleans(tmp_path, word):
    (tmp_path / "e.yaml").write_text(f"generator:\n  color_skip: {word}\n  long_skips: {word}\n")
    read = files.load_yaml(tmp_path / "e.yaml")
    assert read == {"generator": {"color_skip": word, "long_skips": word}}
    assert parsed("--generator.color_skip", word).generator.color_skip == word


def test_former_names_are_not_shown():
    parser = Parser()
    files.add_experiment(parser)
    shown = parser.format_help()
    hidden = [old for old, (new, _) in files.RENAMED.items() if old != new]
    assert len(hidden) == 11
    assert not [old for old in hidden if f"--{old} " in shown]


def test_a_field_under_both_its_names_is_refused(tmp_path):
    (tmp_path / "e.yaml").write_text("training: {ema: 3, ema_half_life_images: 4}\n")
    with pytest.raises(UserError, match="former name of training") as caught:
        files.load_yaml(tmp_path / "e.yaml")
    assert caught.value.field == "training.ema"


def test_what_is_no_name_stays_as_it_is():
    odd = {"data": None, "generator": 3, "loss": {"adversarial": [1]}, "extra": {"a": {}}}
    assert files.with_new_names(odd, "here") == {**odd, "loss": {"gan_mode": [1]}}
    assert files.with_new_names(Experiment().as_dict(), "here") == Experiment().as_dict()
