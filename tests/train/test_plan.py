"""One command line, parsed once: what wins over what."""

from pathlib import Path

import pytest
import yaml

from cyclegan_tf.config.experiment import Data, Experiment
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train import plan
from cyclegan_tf.train.initialization.init_from import InitFrom
from cyclegan_tf.train.plan import plan_training
from tests.helpers.errors import refused


@pytest.fixture
def config(tmp_path):
    """A config file in two sections."""
    file = tmp_path / "e.yaml"
    values = {"data": {"source": "images"}, "optimizer": {"beta_1": 0.4, "beta_2": 0.9}}
    file.write_text(yaml.safe_dump(values))
    return str(file)


def test_without_arguments_it_is_the_demo():
    planned = plan_training([])
    assert planned.experiment.data.source == "demo"
    assert planned.experiment != Experiment()  # the demo's config
    assert str(planned.run.path) == "runs/demo"
    assert (planned.init, planned.resume, planned.quiet) == (None, "auto", False)


def test_options_win_over_the_file_and_the_file_over_defaults(config):
    planned = plan_training(["--config", config, "--optimizer.beta_1=0.3", "--quiet"])
    assert planned.experiment.optimizer.beta_1 == 0.3
    assert planned.experiment.optimizer.beta_2 == 0.9
    assert planned.experiment.optimizer.learning_rate == Experiment().optimizer.learning_rate
    assert planned.quiet
    assert str(planned.run.path) == "runs/e"


def test_an_option_at_its_default_still_wins(config):
    default = Experiment().optimizer.beta_1
    planned = plan_training(["--config", config, f"--optimizer.beta_1={default}"])
    assert planned.experiment.optimizer.beta_1 == default


def test_a_run_is_resumed_with_its_own_config(tmp_path):
    begun = plan_training(["--data.source=a", "--optimizer.beta_1=0.2"]).experiment
    run = RunDirectory(tmp_path / "run")
    run.create(begun, {})
    planned = plan_training(["--run_dir", str(run.path), "--logging.log_every_steps=7"])
    assert planned.experiment.optimizer.beta_1 == 0.2
    assert planned.experiment.data.source == "a"
    assert planned.experiment.logging.log_every_steps == 7


def test_fields_that_an_early_run_did_not_have_take_their_defaults(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.create(plan_training(["--data.source=a", "--optimizer.beta_1=0.2"]).experiment, {})
    values = yaml.safe_load(run.config_path.read_text())
    for section, name in (("generator", "norm"), ("discriminator", "norm"), ("training", "freeze")):
        del values[section][name]
    run.config_path.write_text(yaml.safe_dump(values))
    planned = plan_training(["--run_dir", str(run.path)])
    run.check_resumable(planned.experiment)
    assert planned.experiment.optimizer.beta_1 == 0.2
    assert planned.experiment.generator.norm == Experiment().generator.norm


def test_images_alone_start_from_the_papers_defaults():
    assert plan_training(["--data.source=x"]).experiment == Experiment(data=Data(source="x"))


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["--data.source=a/horses"], "horses"),
        (["--data.source=tfds:cycle_gan/maps"], "maps"),
        (["--data.source=hf:huggan/horse2zebra@main"], "horse2zebra"),
        (["--data.x_dir=a/day", "--data.y_dir=b/night"], "day2night"),
        (["--config=maps"], "maps"),
        (["--config=maps", "--run_dir=other/place"], "place"),
    ],
)
def test_a_run_is_named_after_its_config_else_its_images(words, name):
    assert plan_training(words).run.path.name == name


def test_the_command_line_is_parsed_once_and_init_from_built_once(monkeypatch, tiny_run):
    calls = []
    parse, build = plan.cli.Parser.parse_args, InitFrom.from_options.__func__

    def counted_parse(self, *args, **kwargs):
        calls.append("parse")
        return parse(self, *args, **kwargs)

    def counted_build(cls, *args):
        calls.append("init")
        return build(cls, *args)

    monkeypatch.setattr(plan.cli.Parser, "parse_args", counted_parse)
    monkeypatch.setattr(InitFrom, "from_options", classmethod(counted_build))
    plan_training(["--data.source=x", "--init_from", str(tiny_run), "--optimizer.beta_1=0.4"])
    assert calls == ["parse", "init"]


def test_init_from_a_run_trains_at_its_scale(tiny_run, tmp_path):
    words = ["--data.source=x", "--init_from", str(tiny_run), "--run_dir", str(tmp_path / "new")]
    data = plan_training(words).experiment.data
    assert (data.load_size_px, data.crop_size_px) == (18, 16)
    data = plan_training([*words, "--data.crop_size_px=12"]).experiment.data
    assert (data.load_size_px, data.crop_size_px) == (18, 12)
    config = tmp_path / "sizes.yaml"
    config.write_text("data: {load_size_px: 40}")
    data = plan_training([*words, "--config", str(config)]).experiment.data
    assert (data.load_size_px, data.crop_size_px) == (40, 16)


def test_init_from_needs_images():
    with refused("missing", "--data.source") as caught:
        plan_training(["--init_from", "run"])
    assert (caught.value.code, caught.value.field) == ("missing", "--data.source")


class TestNetworksOfInitFrom:
    """Architecture of another run: over the config file, below the options."""

    def test_over_the_file_and_below_the_options(self, tiny_run, config):
        theirs = RunDirectory(tiny_run).experiment()
        file = yaml.safe_load(Path(config).read_text())
        file["generator"] = {"filters": 7, "blocks": 4}
        Path(config).write_text(yaml.safe_dump(file))
        words = ["--config", config, "--init_from", str(tiny_run)]
        planned = plan_training([*words, "--discriminator.filters=4"])
        assert planned.experiment.generator == theirs.generator
        assert planned.experiment.discriminator.filters == 4
        assert planned.experiment.optimizer.beta_1 == 0.4
        assert planned.overridden == ("generator.blocks", "generator.filters")
        assert planned.init == InitFrom(run=tiny_run)

    def test_another_architecture_comes_without_the_runs_number_of_blocks(self, tiny_run):
        words = ["--data.source=x", "--init_from", str(tiny_run)]
        for given, blocks in (
            (["--generator.architecture=resnet_9blocks"], None),
            (["--generator.architecture=unet_128"], None),
            (["--generator.architecture=fast_style", "--generator.blocks=2"], 2),
            (["--generator.architecture=resnet_6blocks"], 1),
        ):
            assert plan_training([*words, *given]).experiment.generator.blocks == blocks


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["--data.crop_size_px=a"], "--data.crop_size_px got 'a', but takes a whole number"),
        (["--crop_size=1"], "did you mean --data.crop_size_px"),
        (["--resume=perhaps"], "resume"),
        (["--config=nowhere"], "nowhere"),
    ],
)
def test_mistakes_name_the_option(words, field):
    with refused(["invalid", "missing", "unknown"], match=field):
        plan_training(words)


def test_a_value_of_a_file_is_checked_as_if_typed(tmp_path):
    (tmp_path / "e.yaml").write_text("data: {crop_size_px: many}")
    with refused("invalid", "data.crop_size_px", match=r"data\.crop_size_px got 'many'"):
        plan_training(["--config", str(tmp_path / "e.yaml")])


class TestAnUnknownRun:
    """A mistyped --run_dir must not train the demo over night."""

    @pytest.fixture
    def runs(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        run = RunDirectory(Path("runs/small"))
        run.create(plan_training(["--data.source=a"]).experiment, {})

    @pytest.mark.usefixtures("runs")
    @pytest.mark.parametrize("more", [[], ["--training.max_steps=5"], ["--resume=required"]])
    def test_it_is_refused_with_the_nearest_and_the_way_to_the_demo(self, more):
        with refused("missing", "--run_dir") as caught:
            plan_training(["--run_dir", "runs/smal", *more])
        assert "did you mean runs/small?" in str(caught.value)
        assert "--config demo" in str(caught.value)

    @pytest.mark.usefixtures("runs")
    def test_who_names_images_or_a_config_begins_a_new_one(self):
        for given in (["--config=demo"], ["--data.source=a"], ["--data.x_dir=a", "--data.y_dir=b"]):
            assert str(plan_training(["--run_dir=runs/smal", *given]).run.path) == "runs/smal"

    def test_an_empty_config_is_no_config(self, tmp_path):
        for text in ("", "# nothing\n", "data:\n"):
            (tmp_path / "e.yaml").write_text(text)
            with refused("invalid", "--config", match="is empty"):
                plan_training(["--config", str(tmp_path / "e.yaml")])


def test_more_minutes_are_of_the_command_and_not_of_the_run():
    planned = plan_training(["--data.source=a", "--training.more_minutes=30"])
    assert planned.more_minutes == 30
    assert planned.experiment.training.more_minutes is None
    assert plan_training(["--data.source=a"]).more_minutes is None
