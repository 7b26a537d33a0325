"""The ablation: its commands, what it trains again and what not, its table."""

import json
import os

import pytest

from benchmarks.quality import ablation, ablation_table, ablation_variants
from cyclegan_tf.config import files as config_files
from cyclegan_tf.train.plan import plan_training
from tests.helpers import tiny
from tests.helpers.errors import refused
from tests.helpers.preloaded import Process

# Stands where `python -m cyclegan_tf.train` looks first: in the directory it is started from.
PRETENDER = """
import os, pathlib, sys
words = sys.argv[1:]
run = pathlib.Path(words[words.index("--run_dir") + 1])
run.mkdir()
print(sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [])
if "gan_alone" in run.name:
    sys.exit(3)
(run / "words").write_text(" ".join(words))
(run / "generator_yx.keras").write_text("")
"""


@pytest.fixture
def pretender(tmp_path, monkeypatch):
    """A training command that only claims to have trained."""
    package = tmp_path / "root" / "cyclegan_tf"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "train.py").write_text(PRETENDER)
    monkeypatch.setattr(ablation, "ROOT", tmp_path / "root")
    return tmp_path / "out"


def planned(*words):
    return ablation.planned(ablation.parse(words))


def experiment_of(run):
    words = [
        str(ablation.ROOT / word) if word.startswith("configs/") else word for word in run.words
    ]
    return plan_training(["--run_dir", str(run.path), *words]).experiment


def test_words_of_a_line_of_the_paper_and_of_a_variant(tmp_path):
    common = (
        "--discriminator.filters 32 --training.keep_checkpoints 1 --logging.sample_every_steps "
        "100000 --logging.test_every_epochs 1000 --training.checkpoint_every_minutes 100"
    )
    demo = {run.name: " ".join(run.words) for run in planned("--set", "demo")}
    assert demo["demo/gan_forward-1"] == (
        f"--config configs/ablation/gan_forward.yaml {common} --training.max_steps 600 "
        f"--training.seed 1"
    )
    assert demo["demo/batch_4-2"] == (
        f"--config configs/ablation/full.yaml {common} --data.batch_size 4 --training.max_steps "
        f"150 --training.seed 2"
    )
    words = ["--data", str(tmp_path), "--out", str(tmp_path / "out")]
    (run,) = planned("--set", "facades", "--only", "full", *words)
    assert run.path == tmp_path / "out" / "facades" / "full-0"
    assert " ".join(run.words) == (
        f"--config configs/ablation/full.yaml {common} --training.ema_half_life_images 50 "
        f"--data.source {tmp_path} --training.max_steps 1000 --training.seed 0"
    )


def test_every_command_is_one_that_training_takes():
    experiments = {}
    for run in planned("--set", "demo", "--seeds", "7"):
        experiments[run.variant.name] = experiment_of(run)
    assert len(experiments) == len(
        ablation_variants.PAPER + ablation_variants.MORE + ablation_variants.MODERN
    )
    assert {e.training.seed for e in experiments.values()} == {7}
    full = experiments.pop("full")
    assert all(
        e.loss != full.loss
        for name, e in experiments.items()
        if name in {v.name for v in ablation_variants.PAPER}
    )
    for variant in ablation_variants.MORE:
        changed = experiments[variant.name].as_dict()
        differing = {
            f"{section}.{name}"
            for section, fields in full.as_dict().items()
            for name, value in fields.items()
            if changed[section][name] != value
        }
        expected = set() if variant.averaged else {variant.words[0].removeprefix("--")}
        # averages are kept beside the weights and change nothing in them
        assert differing - {"training.max_steps", "training.ema_half_life_images"} == expected


def test_the_modern_line_is_the_modern_config():
    (run,) = planned("--set", "demo", "--only", "modern", "--seeds", "0")
    config = config_files.load_yaml(ablation.ROOT / "configs" / "modern.yaml")
    generator = experiment_of(run).as_dict()["generator"]
    assert config["generator"].items() <= generator.items()
    assert set(config) == {"generator"}


@pytest.mark.parametrize("name", ["facades", "color", "maps"])
def test_every_set_has_a_table_and_variants_of_the_demo(name, tmp_path):
    runs = planned("--set", name, "--data", str(tmp_path))
    assert {run.variant.name for run in runs} <= {v.name for v in ablation_variants.SETS["demo"]}
    assert {"full", "modern"} <= {run.variant.name for run in runs}
    assert set(ablation_table.COLUMNS[name]) == {"xy", "yx"}


def test_results_hold_no_path_of_the_machine(tmp_path):
    (run,) = planned(
        "--set", "maps", "--data", str(tmp_path / "maps"), "--only", "full", "--seeds", "0"
    )
    assert str(tmp_path) not in run.description
    assert "--data.source maps --training.max_steps 600" in run.description


def test_raw_and_averaged_weights_come_from_one_run(pretender, capsys):
    runs = planned(
        "--set", "demo", "--only", "full", "ema", "--seeds", "0", "--out", str(pretender)
    )
    assert [run.name for run in runs] == ["demo/full-0", "demo/ema-0"]
    assert runs[0].path == runs[1].path
    assert runs[0].words == runs[1].words
    ablation.train_missing(runs, 1)
    assert capsys.readouterr().out.count("training demo/") == 1


def test_what_the_results_hold_is_not_trained_again(pretender, capsys):
    words = [*"--set demo --only resize vanilla --seeds 0 --out".split(), str(pretender)]
    ablation.write_lines(
        pretender / "demo.jsonl", [{"run": "demo/resize-0"}, {"run": "demo/vanilla-0"}]
    )
    assert ablation.main(words) == 0
    assert "training" not in capsys.readouterr().out


def test_only_what_is_missing_is_trained(pretender, capsys):
    runs = planned(
        "--set", "demo", "--only", "full", "resize", "--seeds", "0", "1", "--out", str(pretender)
    )
    runs[1].path.mkdir(parents=True)
    (runs[1].path / "generator_yx.keras").write_text("")
    ablation.train_missing(runs, 1)
    assert all(run.finished for run in runs)
    assert not (runs[1].path / "words").exists()
    assert (
        runs[0].path / "words"
    ).read_text() == f"--run_dir {runs[0].path} {' '.join(runs[0].words)}"
    assert capsys.readouterr().out.count("training demo/") == 3


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="the system pins no process to a core"
)
def test_lanes_have_a_core_each(pretender):
    mine = sorted(os.sched_getaffinity(0))
    words = "--set demo --only full resize pool_off --seeds 0 --out".split()
    runs = planned(*words, str(pretender))
    ablation.train_missing(runs, 2)
    cores = [json.loads(run.path.with_name(f"{run.path.name}.log").read_text()) for run in runs]
    assert all(len(core) == 1 and core[0] in mine for core in cores)
    assert {core for (core,) in cores} == set(mine[:2])


def test_a_training_that_fails_is_reported_and_does_not_stop_the_others(
    pretender, capsys, monkeypatch
):
    monkeypatch.setattr(ablation, "score_finished", lambda *given: [])
    words = [*"--set demo --only gan_alone full --seeds 0 --out".split(), str(pretender)]
    assert ablation.main(words) == 1
    printed = capsys.readouterr().out
    assert "demo/gan_alone-0 ended with status 3" in printed
    assert "missing: demo/gan_alone-0, demo/full-0\n" in printed
    assert (pretender / "demo" / "full-0" / "words").exists()
    assert ablation.main([*words, "--score_only"]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "facades"], "--set facades needs --data"),
        (["--set", "demo", "--data", "."], "draws its own images"),
        (["--set", "demo", "--steps", "3"], "--steps 3"),
        (["--set", "demo", "--only", "nothing"], "--only nothing"),
    ],
)
def test_mistakes_are_refused(words, message):
    with refused(["invalid", "missing", "unknown"], match=message):
        planned(*words)


# The table.


def line(name, seed, title="A title", **scores):
    facts = {
        "run": f"demo/{name}-{seed}",
        "name": name,
        "title": title,
        "seed": seed,
        "steps": 600,
        "minutes": 3.0,
    }
    return {**facts, "xy": scores, "yx": {}}


def rows(text):
    return {
        cells[1]: cells[2:-1]
        for row in text.splitlines()
        if len(cells := [c.strip() for c in row.split("|")]) > 2
    }


def test_table_has_mean_and_spread_in_the_papers_order():
    lines = [
        line("full", 1, "Full", psnr=21.0, ssim=0.5),
        line("full", 0, "Full", psnr=20.0, ssim=None),
        line("cycle_alone", 0, "Cycle alone", psnr=10.0),
        {
            "run": "demo/baselines",
            "xy": {"constant": {"psnr": 15.0}, "truth": {"checkerboard": 0.5}},
            "yx": {},
        },
        {"run": "facades/full-0", "name": "full"},
    ]
    first, second = ablation_table.markdown("demo", lines, ["cycle_alone", "full"]).split("### ")[
        1:
    ]
    found = rows(first)
    place = found["Loss"].index
    assert list(found) == ["Loss", "---", "Cycle alone", "Full", "constant", "truth"]
    assert found["Full"][place("PSNR dB")] == "20.50 (20.00 to 21.00)"
    assert found["Full"][place("SSIM")] == "0.500"
    assert found["Full"][place("MAE")] == "-"
    assert found["Full"][-3:] == ["0 1", "600", "3.0"]
    assert found["constant"][place("PSNR dB")] == "15.00"
    assert found["truth"][place("checkerboard dB")] == "0.5"
    assert len({len(cells) for cells in found.values()}) == 1
    assert rows(second)["Full"][0] == "-"


def test_photo_to_labels_has_the_columns_of_table_5():
    text = ablation_table.markdown("facades", [], [])
    assert "### Photo to labels\n\n| Loss | Per-pixel acc. | Per-class acc. | Class IOU |" in text


@pytest.mark.slow
def test_real_trainings_are_scored_once(tmp_path, monkeypatch, capsys):
    def train_forked(run, core):
        """With narrow networks; the command itself has tests above."""
        narrow = (
            "--generator.filters=2 --generator.blocks=1 --discriminator.filters=2 "
            "--discriminator.n_layers=1 --data.load_size_px=36 --data.crop_size_px=32"
        ).split()
        words = ["--run_dir", run.path, *run.words, *narrow]
        with (tmp_path / "log").open("w") as log:
            return Process("cyclegan_tf.train", words, log.fileno(), cwd=ablation.ROOT).wait(120)

    monkeypatch.setattr(ablation.Run, "train", train_forked)
    data = tiny.folder(tmp_path / "images", size=40)
    words = ["--data", str(data), "--out", str(tmp_path)]
    words += "--set color --only modern --steps 4 --seeds 0".split()
    assert ablation.main(words) == 0
    (baselines, scored) = ablation.read_lines(tmp_path / "color.jsonl")
    assert set(baselines["xy"]) == {"unchanged input", "constant", "random real", "truth"}
    assert scored["steps"] == 4
    assert 3 < scored["xy"]["psnr"] < 20
    (modern,) = (v for v in ablation_variants.MODERN if v.name == "modern")
    assert f"| {modern.title} |" in (tmp_path / "color.md").read_text()
    capsys.readouterr()
    assert ablation.main(words) == 0
    assert "scoring" not in capsys.readouterr().out
