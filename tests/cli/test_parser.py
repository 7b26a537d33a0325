"""Options and experiment files: frozen names, and one clear sentence for every mistake."""

import importlib
from pathlib import Path

import pytest

from cyclegan_tf import cli
from cyclegan_tf.config import files as config_files
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.train.plan import build_parser, plan_training
from tests.helpers.errors import refused

CONFIGS = Path(__file__).parents[2] / "configs"

# Frozen on purpose: a flag that goes away or changes its name breaks people's scripts.
TRAIN_OPTIONS = """
--config --run_dir --resume --init_from --init_checkpoint --quiet --estimate --print_config
--data.source --data.x_dir --data.y_dir --data.name_x --data.name_y --data.tfds_dir --data.hf_x
--data.hf_y --data.test_fraction --data.preprocess
--data.load_size_px --data.crop_size_px --data.flip --data.channels_x --data.channels_y
--data.batch_size --data.cache --data.max_pixels --data.pairs --data.pairs_share
--generator.architecture
--generator.filters --generator.blocks --generator.upsampling --generator.dropout --generator.norm
--generator.norm_affine --generator.color_skip --generator.long_skips --generator.init_file_xy
--generator.init_file_yx --discriminator.architecture --discriminator.filters
--discriminator.n_layers --discriminator.norm --discriminator.norm_affine
--discriminator.conditional --loss.gan_mode --loss.self_x --loss.self_y --loss.paired
--loss.semantic --loss.semantic_weight --loss.semantic_range
--loss.adversarial_x --loss.adversarial_y --loss.cycle_x --loss.cycle_y --loss.identity
--loss.identity_x --loss.identity_y --loss.gradient_penalty --optimizer.learning_rate
--optimizer.beta_1 --optimizer.beta_2 --optimizer.epsilon --optimizer.schedule
--optimizer.step_epochs --training.constant_epochs --training.decay_epochs
--training.max_steps --training.max_minutes --training.more_minutes
--training.precision --training.jit
--training.steps_per_call
--training.gradient_checkpointing --training.seed --training.pool_size_images
--training.checkpoint_every_steps --training.checkpoint_every_minutes --training.keep_checkpoints
--training.strategy --training.ema_half_life_images --training.best_metric
--training.early_stopping_patience --training.freeze --logging.log_every_steps
--logging.to --logging.sample_every_steps --logging.sample_images --logging.test_every_epochs
--logging.test_images --logging.score_every_epochs --logging.score_images
--logging.score_features
--data.axis --data.level --data.mpp --data.neighbors
--data.range_percentiles --data.range_x --data.range_y
""".split()


def test_train_options_are_frozen():
    assert sorted(build_parser().option_names()) == sorted(TRAIN_OPTIONS)


def resolve(*words):
    return plan_training(words).experiment


def test_without_arguments_the_demo_config_is_taken():
    assert resolve() == Experiment.from_dict(config_files.load_yaml(CONFIGS / "demo.yaml"))


def test_a_source_alone_means_the_papers_recipe():
    assert resolve("--data.source", "somewhere").data == Experiment().data.__class__(
        source="somewhere"
    )


def test_options_win_over_the_file_wherever_they_stand():
    before = resolve("--data.crop_size_px", "96", "--config", str(CONFIGS / "maps.yaml"))
    after = resolve("--config", "maps", "--data.crop_size_px", "96")
    assert before == after
    assert (before.data.source, before.data.crop_size_px) == ("tfds:cycle_gan/maps", 96)


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_config_is_valid_and_says_what_it_is(path):
    Experiment.from_dict(config_files.load_yaml(path))
    head = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert any(line.startswith("# Source of data:") for line in head)
    assert any(line.startswith("# Command: python -m cyclegan_tf.train --config ") for line in head)


def test_the_ablation_has_the_papers_cases():
    terms = {}
    for path in (CONFIGS / "ablation").glob("*.yaml"):
        loss = Experiment.from_dict(config_files.load_yaml(path)).loss
        names = ("adversarial_x", "adversarial_y", "cycle_x", "cycle_y")
        terms[path.stem] = "".join(str(int(bool(getattr(loss, name)))) for name in names) + str(
            int(any(loss.identity_weights()))
        )
    assert terms == {
        "full": "11111",
        "cycle_alone": "00110",
        "gan_alone": "11000",
        "gan_forward": "11100",
        "gan_backward": "11010",
        "no_identity": "11110",
        "one_way": "01100",
    }


# Words, what the message says, its code and its field.
WRONG_OPTIONS = [
    (
        "--data.crop_sze_px 3",
        "unknown option --data.crop_sze_px; did you mean --data.crop_size_px?",
        "unknown",
        "--data.crop_sze_px",
    ),
    ("--crop_size 3", "did you mean --data.crop_size_px?", "unknown", "--crop_size"),
    (
        "--data.crop_size_px abc",
        "--data.crop_size_px got 'abc', but takes a whole number.",
        "invalid",
        "--data.crop_size_px",
    ),
    (
        "--training.max_steps 1.5",
        "--training.max_steps got '1.5', but takes a whole number or null.",
        "invalid",
        "--training.max_steps",
    ),
    ("--loss.gan_mode gan", "one of lsgan, vanilla, wgangp", "invalid", "--loss.gan_mode"),
    ("--config nowhere", "no such file; the configs that come along", "missing", "--config"),
    ("--resume maybe", "--resume", "invalid", "--resume"),
    ("--training.freeze decoder", "one of none, encoder", "invalid", "--training.freeze"),
    ("--generator.long_skips maybe", "of off, auto, on.", "invalid", "--generator.long_skips"),
    ("--generator.norm layer", "one of instance, batch", "invalid", "--generator.norm"),
    ("--init_checkpoint last", "is given without --init_from", "missing", "--init_from"),
    ("--init_from runs/a", "name the images to train on with", "missing", "--data.source"),
    ("--init_from no/where --data.source x", "is not a run directory", "missing", "no/where"),
]


@pytest.mark.parametrize(("words", "message", "code", "field"), WRONG_OPTIONS)
def test_a_mistake_in_the_options_is_one_sentence(words, message, code, field):
    with refused(["invalid", "missing", "unknown"]) as caught:
        resolve(*words.split())
    assert (caught.value.code, caught.value.field) == (code, field)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_options_that_break_a_rule_together_are_one_sentence():
    with refused("invalid", "data.crop_size_px") as caught:
        resolve("--data.crop_size_px", "300")
    assert caught.value.code == "invalid"


def test_networks_come_from_a_run_or_a_keras_file():
    with refused("unsupported", "--init_from", match="make one") as caught:
        resolve("--init_from", __file__, "--data.source", "x")
    assert (caught.value.code, caught.value.field) == ("unsupported", "--init_from")


FILE = "the file itself"
WRONG_FILES = [
    (
        "data:\n  crop_sise_px: 3\n",
        "unknown key data.crop_sise_px; did you mean data.crop_size_px?",
        "unknown",
        "data.crop_sise_px",
    ),
    ("dta: {}\n", "unknown section 'dta'; did you mean data?", "unknown", "dta"),
    ("- 1\n", "must hold sections", "unreadable", FILE),
    ("data: 3\n", "section 'data' must hold", "invalid", "data"),
    ("a: [\n", "cannot be read as YAML", "unreadable", FILE),
    ("a: " + "[" * 5_000, "cannot be read as YAML", "unreadable", FILE),
    ("data:\n  crop_size_px: big\n", "got 'big'", "invalid", "data.crop_size_px"),
]


@pytest.mark.parametrize(("text", "message", "code", "field"), WRONG_FILES)
def test_a_mistake_in_a_file_is_one_sentence(tmp_path, text, message, code, field):
    path = tmp_path / "e.yaml"
    path.write_text(text)
    with refused(["invalid", "unknown", "unreadable"]) as caught:
        resolve("--config", str(path))
    assert (caught.value.code, caught.value.field) == (code, str(path) if field == FILE else field)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_words_after_two_dashes_are_names(monkeypatch):
    parser = cli.Parser(prog="p")
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--tile_px", type=int, default=0)
    cli.hidden_alias(parser, "--tile", "--tile_px")
    for words in (
        ["--tile", "5", "--", "-a.png", "--tile"],
        ["--tile=5", "-a.png", "--", "--tile"],
    ):
        if words[1] == "-a.png":
            words[1] = "./-a.png"
        parsed = parser.parse(words)
        assert parsed.tile_px == 5
        assert (parsed.input.removeprefix("./"), parsed.output) == ("-a.png", "--tile")
    assert cli.options_of(["a", "--", "--b"]) == ["a"]
    assert cli.options_of(["a", "--b"]) == ["a", "--b"]


@pytest.mark.parametrize(
    "command",
    "check convert distill evaluate export inspect serve stylize translate translate_beam".split(),
)
def test_names_of_every_command_may_begin_with_a_dash(command):
    parser = importlib.import_module(f"cyclegan_tf.{command}.command").build_parser()
    named = [action.dest for action in parser._actions if not action.option_strings]
    assert named
    parsed = parser.parse(["--", *(f"--{name}" for name in named)])
    for name in named:
        assert parsed[name] in (f"--{name}", [f"--{name}"])


def test_a_former_spelling_is_accepted_and_not_shown():
    parser = cli.Parser(prog="p")
    parser.add_argument("input")
    parser.add_argument("--tile_px", type=int, default=0)
    cli.hidden_alias(parser, "--tile", "--tile_px")
    assert parser.parse(["a=b.png", "--tile=5"]).tile_px == 5
    assert parser.parse(["a=b.png", "--tile", "6"]).tile_px == 6
    assert parser.parse(["a=b.png"]).input == "a=b.png"
    assert "--tile " not in parser.format_help()
    with refused("invalid", "--tile_px") as caught:
        parser.parse(["a.png", "--tile=x"])
    assert caught.value.field == "--tile_px"
