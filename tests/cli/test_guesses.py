"""Right guesses: what people type who come from other programs."""

import importlib

import pytest

from cyclegan_tf import cli
from cyclegan_tf.cli import guesses
from tests.helpers.errors import refused


def parser_of(command):
    name = f"cyclegan_tf.{command}.{'plan' if command == 'train' else 'command'}"
    return importlib.import_module(name).build_parser()


# As people typed them; the end of the answer.
TYPED = [
    ("train --epochs 50", "mean --training.constant_epochs and --training.decay_epochs?"),
    ("train --lr 0.001", "mean --optimizer.learning_rate?"),
    ("train --gpu 0", "CUDA_VISIBLE_DEVICES=0 before the command takes the first GPU"),
    ("train --name x", "mean --run_dir?"),
    ("train --dataroot images", "mean --data.source?"),
    ("train images", "images belongs to no option; did you mean --data.source images?"),
    ("train apples pears", "did you mean --data.x_dir apples --data.y_dir pears?"),
    ("train --resume --run_dir R", "going on is automatic: leave it out"),
    ("train --continue_train", "going on is automatic: leave it out"),
    ("train --data.channels 1", "mean --data.channels_x and --data.channels_y?"),
    ("train --data.source", "--data.source needs a value"),
    ("translate --run R --input I --output O", "place: python -m cyclegan_tf.translate RUN INPUT"),
    ("translate R I O more", "more belongs to no option; python -m cyclegan_tf.translate RUN INP"),
    ("translate R I O -x", "-x belongs to no option"),
    ("evaluate --model R", "by its place: python -m cyclegan_tf.evaluate RUN [options]"),
    ("train --data images", "mean --data.source?"),
    ("train --images x", "mean --data.source?"),
    ("train --training 5", "its options are --training."),
    ("train --crop 128", "mean --data.crop_size_px?"),
    ("train --fp16", "mean --training.precision?"),
    ("export R O --int8", "--variants chooses .tflite files"),
    # right before, and still
    ("train --datasource x", "mean --data.source?"),
    ("train --batch_size 2", "mean --data.batch_size?"),
    ("train --crop_size 2", "mean --data.crop_size_px?"),
    ("export R O --formats onnx", "mean --format?"),
]


@pytest.mark.parametrize(("line", "said"), TYPED, ids=[line for line, _ in TYPED])
def test_a_guess_is_answered_by_what_was_meant(line, said):
    command, *words = line.split()
    with refused(["unknown", "missing"]) as caught:
        parser_of(command).parse(words)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_that_is_named_without_its_option_is_one(tmp_path):
    (tmp_path / "config.yaml").touch()
    with refused("unknown", match=f"did you mean --run_dir {tmp_path}"):
        parser_of("train").parse([str(tmp_path)])


def test_names_of_others_are_accepted_where_they_mean_one_thing():
    parsed = parser_of("translate").parse(["R", "I", "O", "--direction", "AtoB"])
    assert parsed.direction == "xy"
    words = ["R", "O", "--format", "tflite", "SavedModel", "onnx", "--allow-lossy"]
    parsed = parser_of("export").parse(words)
    assert (parsed.format, parsed.allow_lossy) == (["litert", "saved_model", "onnx"], True)


@pytest.mark.parametrize("name", ["data.source", "source"])
def test_check_and_evaluate_take_the_options_of_train(name):
    assert parser_of("check").parse([f"--{name}", "images"]).source == "images"
    assert parser_of("check").parse([f"--{name}=images"]).source == "images"
    assert parser_of("evaluate").parse(["R", f"--{name}", "images"])["data.source"] == "images"
    parsed = parser_of("evaluate").parse(["R", "--x_dir", "a", "--y-dir=b"])
    assert (parsed["data.x_dir"], parsed["data.y_dir"]) == ("a", "b")


def test_hyphens_are_underscores_everywhere():
    assert parser_of("train").parse(["--data.crop-size-px", "8"]).data.crop_size_px == 8
    assert parser_of("train").parse(["--run-dir=a-b"]).run_dir == "a-b"
    assert parser_of("translate").parse(["R", "I", "O", "--tile", "8"]).tile_px == 8
    for command in ("check", "convert", "evaluate", "export", "inspect", "serve", "translate"):
        parser = parser_of(command)
        for name in parser.option_names():
            assert parser._with_underscores("--" + name[2:].replace("_", "-")) == name


def test_every_answer_names_options_that_there_are():
    options = set(parser_of("train").option_names())
    named = {name for names in guesses._OPTIONS.values() for name in names}
    assert named - options == set()


def test_a_value_of_a_list_ends_at_the_next_option():
    parser = cli.Parser()
    parser.add_argument("--format", nargs="+", choices=["litert", "onnx"])
    parser.add_argument("--name")
    cli.hidden_alias(parser, "--format", "--format", {"tflite": "litert"})
    parsed = parser.parse(["--format", "tflite", "onnx", "--name", "tflite"])
    assert (parsed.format, parsed.name) == (["litert", "onnx"], "tflite")
