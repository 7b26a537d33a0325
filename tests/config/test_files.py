"""Experiment files and options under former names."""

import dataclasses

import pytest
import yaml

from cyclegan_tf.cli import Parser
from cyclegan_tf.config import files
from cyclegan_tf.config.experiment import SECTIONS, Experiment
from cyclegan_tf.errors import UserError
from cyclegan_tf.train.plan import plan_training
from tests.helpers.errors import refused

FORMER = [
    ("data.neighbours", 1, "data.neighbors", 1),
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
    assert len(hidden) == 12
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


NOTHING_IN_YAML = ["#c/x", "# c", "&a", "---", "null", "Null", "~"]
OTHER_IN_YAML = ["07", "1_000", "yes", "2024-01-01", "1e3", "[a]", "{b: c}", "a: b", "? a", "'q'"]


@pytest.mark.parametrize("field", ["data.tfds_dir", "generator.network_xy", "data.source"])
@pytest.mark.parametrize("word", [*NOTHING_IN_YAML, *OTHER_IN_YAML])
def test_names_are_the_words_as_typed(word, field):
    word += ".keras" * ("network" in field)  # as the rule of this field is
    new, _ = files.RENAMED.get(field, (field, {}))
    assert value_of(parsed(f"--{field}={word}"), new) == word
    if not word.startswith("--"):
        assert value_of(parsed(f"--{field}", "before", f"--{field}", word), new) == word


def test_both_folders_are_the_words_as_typed_and_the_demo_is_not_trained():
    data = plan_training(["--data.x_dir", "#c/x", "--data.y_dir=null"]).experiment.data
    assert (data.x_dir, data.y_dir) == ("#c/x", "null")


@pytest.mark.parametrize("name", [*NOTHING_IN_YAML, *OTHER_IN_YAML])
def test_a_run_goes_on_with_the_folders_it_has_whatever_their_names(tmp_path, name):
    experiment = Experiment.from_dict({"data": {"x_dir": name, "y_dir": "y", "tfds_dir": name}})
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(experiment.as_dict()))
    assert plan_training(["--run_dir", str(tmp_path)]).experiment == experiment


@pytest.mark.parametrize("name", ["07", "1_000", "yes", "2024-01-01", "1.50", "true", "'null'"])
def test_names_in_a_file_are_its_words(tmp_path, name):
    (tmp_path / "e.yaml").write_text(f"data: {{source: {name}, tfds_dir: {name}}}\n")
    data = files.load_yaml(tmp_path / "e.yaml")["data"]
    assert data == {"source": name.strip("'"), "tfds_dir": name.strip("'")}


@pytest.mark.parametrize("null", ["null", "Null", "~", ""])
def test_no_name_is_where_the_whole_yaml_says_so(tmp_path, null):
    (tmp_path / "e.yaml").write_text(f"data:\n  tfds_dir: {null}\ntraining: {{max_steps: 5}}\n")
    plan = plan_training(
        ["--config", str(tmp_path / "e.yaml"), f"--training.max_steps={null or 'null'}"]
    )
    assert plan.experiment.data.tfds_dir is None
    assert plan.experiment.training.max_steps is None


@pytest.mark.parametrize("word", ["#5", "&a", "---"])
def test_words_that_yaml_reads_as_nothing_are_no_numbers(tmp_path, word):
    with refused("invalid", "--training.max_steps", match="takes a number or null"):
        parsed(f"--training.max_steps={word}")
    (tmp_path / "e.yaml").write_text(yaml.safe_dump({"training": {"max_steps": word}}))
    with refused("invalid", "--training.max_steps"):
        plan_training(["--config", str(tmp_path / "e.yaml")])


@pytest.mark.parametrize("text", ["data: !!timestamp x", "data: 2024-99-99"])
def test_what_is_no_value_of_yaml_is_one_sentence(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text + "\n")
    with refused("unreadable", tmp_path / "a.yaml"):
        files.load_yaml(tmp_path / "a.yaml")


def test_a_section_is_no_option():
    parser = Parser()
    files.add_experiment(parser)
    assert "--data" not in parser.option_names()
    assert "--data CONFIG" not in parser.format_help()
    with refused("unknown", "--data"):
        parser.parse(["--data", "images"])
