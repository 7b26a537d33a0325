"""The command: its options, and one sentence for every mistake."""

import os
import subprocess
import sys

import pytest

from cyclegan_tf import cli
from cyclegan_tf.convert import command
from cyclegan_tf.networks.builders import build_generator
from tests.convert.shared import TINY, names_in
from tests.helpers.errors import refused

torch = pytest.importorskip("torch", reason='needs pip install ".[torch]"')


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("{tmp}/nowhere", "{tmp}/g.keras"), "nowhere does not exist"),
        (("{tmp}/words.txt", "{tmp}/g.keras"), "words.txt is nothing that can be converted"),
        (("{tmp}/empty", "{tmp}/g.keras"), "empty is nothing that can be converted"),
        (("{tmp}/words.pth", "{tmp}/g.keras"), "words.pth is damaged or not a PyTorch checkpoint"),
        (("{given}/latest_net_G_A.pth", "{tmp}/g"), r"g must end in \.keras"),
        (("{given}", "{tmp}/g.keras"), "becomes a run directory; give a target that is a folder"),
        (
            ("{given}/latest_net_G_A.pth", "{tmp}/g.keras", "--architecture=unet_256"),
            "not --architecture unet_256",
        ),
        (("{given}/latest_net_G_A.pth", "{tmp}/g.keras", "--architecture=unet"), "--architecture"),
        (
            ("{given}/latest_net_G_A.pth", "{tmp}/g.keras", "--norm=batch"),
            "cannot be of batch normalization",
        ),
        (
            ("{given}", "{tmp}/run", "--epoch=3"),
            "holds no files of --epoch 3; there are those of latest",
        ),
        (
            ("{given}", "{tmp}/run", "--generator.filters=8"),
            "--generator.filters is 8, but the weights are of 2",
        ),
        (
            ("{given}", "{tmp}/run", "--generator.long_skips=on"),
            "long_skips is not for networks that are there already",
        ),
        (
            ("{given}", "{tmp}/run", "--generator.dropout=true"),
            "--generator.dropout is True, but the weights are of False",
        ),
        (("{given}", "{tmp}/run", "--data.crop_size_px=30", *TINY[:1]), "data.crop_size_px is 30"),
        (("{given}", "{tmp}/run", "--data.source={tmp}/nowhere"), "nowhere does not exist"),
        (("{given}", "{tmp}/run", "--crop_size=3"), "did you mean --data.crop_size_px?"),
        (("{run}", "{tmp}/out"), "is a run directory already; give --to pytorch"),
        (("{given}", "{tmp}/out", "--to=pytorch"), "neither a run directory nor a .keras file"),
        (("{tmp}/g9.keras", "{tmp}/out", "--to=pytorch"), r"out must end in \.pth"),
        (
            ("{tmp}/g9.keras", "{tmp}/out.pth", "--to=pytorch"),
            "is no network of the official PyTorch code",
        ),
        (
            ("{run}", "{tmp}/out", "--to=pytorch", "--checkpoint=5"),
            "--checkpoint is '5'; take best, last, or one",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(given, run, tmp_path, words, message):
    (tmp_path / "empty").mkdir()
    for name in ("words.txt", "words.pth"):
        (tmp_path / name).write_text("words")
    if "g9" in words[0]:
        build_generator("fast_style", filters=2, blocks=1, seed=0).save(tmp_path / "g9.keras")
    before = names_in(tmp_path)
    with refused(
        ["invalid", "mismatch", "missing", "unknown", "unreadable", "unsupported"], match=message
    ) as report:
        command.main([word.format(tmp=tmp_path, given=given, run=run) for word in words])
    assert "\n" not in str(report.value)
    assert names_in(tmp_path) == before


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch '{self.path}'",)


def test_a_malicious_file_is_status_2_and_runs_nothing(tmp_path, capsys):
    torch.save({"model.1.weight": Trap(tmp_path / "caught")}, tmp_path / "n.pth")
    with pytest.raises(SystemExit) as caught:
        cli.run(command.main, [str(tmp_path / "n.pth"), str(tmp_path / "n.keras")])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert names_in(tmp_path) == ["n.pth"]


# Frozen on purpose: a flag that goes away or changes its name breaks people's scripts.
OPTIONS = "--to --architecture --norm --epoch --direction --checkpoint --overwrite --quiet".split()


def test_options_are_frozen():
    ours = [name for name in command.build_parser().option_names() if "." not in name]
    assert sorted(ours) == sorted(OPTIONS)


def test_a_mistake_is_said_before_tensorflow_is_loaded():
    """And what TensorFlow says while it starts is held back by the command."""
    code = (
        "import sys\nsys.modules['tensorflow'] = None\nimport cyclegan_tf.convert.command\n"
        "print('keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
