"""Run directories: who may write, what may differ when a run goes on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cyclegan_tf.atomic import partial_name
from cyclegan_tf.config.experiment import (
    Data,
    Experiment,
    Generator,
    Logging,
    Loss,
    Optimizer,
    Training,
)
from cyclegan_tf.errors import UserError
from cyclegan_tf.runs import run_directory
from cyclegan_tf.runs.lock import FolderLock
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train import command as train
from cyclegan_tf.train.plan import TrainPlan
from tests.helpers.errors import refused

IMAGES = {"train_x": ["a.png"], "train_y": ["b.png"], "test_x": [], "test_y": []}


@pytest.fixture
def run(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.create(Experiment(), IMAGES)
    return run


def test_begin_writes_what_can_be_read_back(run):
    assert run.experiment() == Experiment()
    assert (run.data_split(), run.data_sums()) == (IMAGES, {})
    environment = json.loads((run.path / "environment.json").read_text())
    assert {"command", "python", "versions", "git_commit"} <= set(environment)
    assert environment["versions"]["tensorflow"].startswith("2.")


def test_where_the_first_weights_came_from_is_recorded(run, tmp_path):
    assert run.init_record() is None
    new = RunDirectory(tmp_path / "new")
    new.create(Experiment(), {}, {"run": "runs/a", "messages": ["generators of a"]})
    assert new.init_record() == {"run": "runs/a", "messages": ["generators of a"]}
    new.origin_path.write_text('{"run": "runs/a", "told": ["as early versions wrote it"]}')
    assert new.init_record() == {"run": "runs/a", "messages": ["as early versions wrote it"]}
    new.origin_path.write_text("{")
    with refused("unreadable", new.origin_path):
        new.init_record()


def test_of_files_that_are_named_it_keeps_copies_and_finds_them_when_moved(tmp_path):
    file = tmp_path / "my network.keras"
    file.write_text("layers")
    run = RunDirectory(tmp_path / "run")
    run.create(Experiment(generator=Generator(init_file_yx=str(file))), {})
    file.unlink()
    assert (
        yaml.safe_load(run.config_path.read_text())["generator"]["init_file_yx"]
        == "network_yx.keras"
    )
    moved = RunDirectory(run.path.rename(tmp_path / "moved"))
    kept = moved.experiment().generator.init_file_yx
    assert kept == str(tmp_path / "moved" / "network_yx.keras")
    assert Path(kept).read_text() == "layers"
    moved.check_resumable(moved.experiment())
    # a copy of that run is begun from the copy
    RunDirectory(tmp_path / "next").create(moved.experiment(), {})
    assert (tmp_path / "next" / "network_yx.keras").read_text() == "layers"


def test_a_file_that_is_gone_begins_no_run(tmp_path):
    run = RunDirectory(tmp_path / "run")
    with pytest.raises(UserError, match="cannot be written: No such file"):
        run.create(Experiment(generator=Generator(init_file_xy=str(tmp_path / "gone.keras"))), {})
    assert not run.exists()


def test_begin_refuses_a_folder_of_something_else(tmp_path):
    (tmp_path / "thesis.doc").write_text("mine")
    with pytest.raises(UserError, match="is not a run directory"):
        RunDirectory(tmp_path).create(Experiment(), {})
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.doc"]


def test_other_fields_are_refused_by_name(run):
    other = Experiment(data=Data(crop_size_px=128), optimizer=Optimizer(learning_rate=1e-3))
    with pytest.raises(
        UserError,
        match=r"data.crop_size_px is 256 there, 128 asked; optimizer.learning_rate is 0.0002",
    ):
        run.check_resumable(other)


@pytest.mark.parametrize(
    ("other", "name"),
    [
        (
            Experiment(training=Training(ema_half_life_images=1000.0)),
            "training.ema_half_life_images",
        ),
        (Experiment(training=Training(best_metric="mae")), "training.best_metric"),
        (
            Experiment(training=Training(early_stopping_patience=2)),
            "training.early_stopping_patience",
        ),
        (Experiment(training=Training(freeze="encoder")), "training.freeze"),
        (Experiment(logging=Logging(score_every_epochs=1)), "logging.score_every_epochs"),
        (Experiment(logging=Logging(score_images=7)), "logging.score_images"),
    ],
)
def test_what_decides_the_best_checkpoint_or_the_end_may_not(run, other, name):
    with pytest.raises(UserError, match=name):
        run.check_resumable(other)


@pytest.mark.parametrize(("color_skip", "accepted"), [("off", False), ("on", True)])
def test_identity_weights_of_0_stand_for_none_only_beside_a_color_skip(
    tmp_path, color_skip, accepted
):
    generator = Generator(color_skip=color_skip)
    run = RunDirectory(tmp_path / "run")
    run.create(Experiment(generator=generator, loss=Loss(identity_x=0.0, identity_y=0.0)), {})
    asked = Experiment(generator=generator)
    if accepted:
        run.check_resumable(asked)
        return
    with refused("mismatch") as caught:
        run.check_resumable(asked)
    assert "loss.identity_x is 0.0 there, None asked" in str(caught.value)


def test_fields_that_do_not_change_the_result_may_differ(run):
    run.check_resumable(
        Experiment(
            data=Data(cache="off"),
            logging=Logging(log_every_steps=7),
            training=Training(checkpoint_every_steps=5, gradient_checkpointing=True),
        )
    )


def test_a_config_that_lost_a_line_or_has_another_number_is_noticed(run):
    text = run.config_path.read_text()
    for damaged in (text[: text.rindex("\n  ") + 1], text.replace("batch_size: ", "batch_size: 1")):
        run.config_path.write_text(damaged)
        with refused("mismatch", run.config_path, match="not as the run wrote it"):
            run.experiment()
    run.config_path.write_text(text.partition("\n")[2].replace("batch_size: 1", "batch_size: 2"))
    assert run.experiment().data.batch_size == 2


def test_a_config_of_another_version_is_an_error(run):
    run.config_path.write_text("data: {color: blue}\n")
    with pytest.raises(UserError, match="does not fit this version"):
        run.experiment()
    run.config_path.write_text("")
    with pytest.raises(UserError, match="empty or damaged"):
        run.experiment()


NOT_TEXT = [b"", b"\xff\xfe", b"{", b"[]", b"5", b"null", b"[" * 100_000]


@pytest.mark.parametrize("content", NOT_TEXT)
def test_damaged_records_are_one_sentence(run, content):
    for path, read in (
        (run.data_path, run.data_split),
        (run.data_path, run.data_sums),
        (run.config_path, run.experiment),
        (run.origin_path, run.init_record),
    ):
        path.write_bytes(content)
        with refused("unreadable", path) as caught:
            read()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("messages", [5, "one", [1], None])
def test_messages_of_a_start_that_are_none_are_damage(run, messages):
    run.origin_path.write_text(json.dumps({"messages": messages}))
    with refused("unreadable", run.origin_path):
        run.init_record()


@pytest.mark.parametrize(
    "record",
    [
        {"train_x": []},
        {**IMAGES, "test_x": "a.png"},
        {**IMAGES, "train_x": [1]},
        {**IMAGES, "sums": []},
        {**IMAGES, "sums": {"train_x": [1]}},
    ],
)
def test_records_of_images_that_are_none_are_damage(run, record):
    run.data_path.write_text(json.dumps(record))
    with refused("unreadable", run.data_path):
        run.data_split()


def test_the_files_of_the_images_are_recorded(tmp_path):
    run = RunDirectory(tmp_path / "run")
    assert (run.data_split(), run.data_sums()) == (None, {})
    run.create(Experiment(), {**IMAGES, "sums": {"train_x": ["20 ab"]}})
    assert (run.data_split(), run.data_sums()) == (IMAGES, {"train_x": ["20 ab"]})
    run.data_path.write_text("{}")  # of a run that knows no images
    assert (run.data_split(), run.data_sums()) == (None, {})


def test_a_folder_without_config_is_not_a_run(tmp_path):
    with pytest.raises(UserError, match="not a run directory"):
        RunDirectory(tmp_path).experiment()


def test_a_run_that_another_process_begins_between_two_looks_is_in_use(tmp_path, monkeypatch):
    run = RunDirectory(tmp_path / "run")
    run.path.mkdir()
    other = FolderLock(run.path / ".lock")
    look = run_directory.foreign_entries

    def late(folder):
        monkeypatch.setattr(run_directory, "foreign_entries", look)
        other.acquire()
        run.create(Experiment(), IMAGES)
        run.samples.mkdir()
        return look(folder)

    monkeypatch.setattr(run_directory, "foreign_entries", late)
    with refused("in_use", run.path), run.locked():
        pass
    other.release()
    assert run.exists()


def test_a_second_process_is_refused_and_a_killed_one_forgotten(run):
    code = (
        "import sys, time; from pathlib import Path\n"
        "from cyclegan_tf.runs.run_directory import RunDirectory\n"
        f"with RunDirectory(Path({str(run.path)!r})).locked():\n    print('held', flush=True); "
        f"time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with (
            refused("in_use", run.path, match=f"in use by another process .number {holder.pid}"),
            run.locked(),
        ):
            pass
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    with run.locked():
        pass
    assert run.exists()


def test_a_start_that_fails_leaves_nothing(tmp_path):
    new = RunDirectory(tmp_path / "above" / "new")
    with new.locked():
        new.cache.mkdir()
        (new.cache / "train_x.bin").write_bytes(b"images")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError), new.locked():
        new.create(Experiment(generator=Generator(init_file_xy=str(tmp_path / "gone.keras"))), {})
    assert list(tmp_path.iterdir()) == []
    new.path.mkdir(parents=True)
    with new.locked():
        pass
    assert list(new.path.iterdir()) == []  # the folder was there before


OF_OTHERS = [
    {"cache/thesis.txt": "mine", ".lock": "mine", "src.py": "mine"},
    {"cache/thesis.txt": "mine"},
    {"cache/train_x.bin": "mine"},
    {".lock": "mine"},
    {".lock": ""},
    {".lock": "1234", "data.json": "mine"},
    {"config.yaml": "mine: true", ".lock": "mine", "cache/thesis.txt": "mine"},
    {"config.yaml": "data: {source: images}", ".lock": "mine"},
]


@pytest.mark.parametrize("files", OF_OTHERS, ids=" ".join)
def test_nothing_of_others_is_touched(tmp_path, files):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    run = RunDirectory(tmp_path)
    for start in (run.locked, lambda: train._claimed(TrainPlan(Experiment(), run))):
        with pytest.raises(UserError) as caught, start():
            pytest.fail("a run was to begin there")
        assert caught.value.code in ("exists", "mismatch", "unreadable")
        found = {path for path in tmp_path.rglob("*") if path.is_file()}
        assert {p.relative_to(tmp_path).as_posix(): p.read_text() for p in found} == files


def test_what_comes_from_others_before_the_lock_is_had_stays(tmp_path, monkeypatch):
    run, plain = RunDirectory(tmp_path), run_directory.make_and_lock

    def late(folder):
        found = plain(folder)
        (folder / "data.json").write_text("mine")
        (folder / "thesis.txt").write_text("mine")
        return found

    monkeypatch.setattr(run_directory, "make_and_lock", late)
    with refused("exists", "--run_dir"), run.locked():
        pytest.fail("a run was to begin there")
    assert {path.name for path in tmp_path.iterdir()} == {"data.json", "thesis.txt"}


@pytest.mark.parametrize("last", ["environment.json", "data.json", "init.json", "network_xy.keras"])
def test_a_beginning_that_was_killed_is_begun_again(tmp_path, last):
    """As long as config.yaml is missing; `last` is the file that came last."""
    run, names = RunDirectory(tmp_path / "run"), []
    with run.locked():
        network = tmp_path / "n.keras"
        network.write_text("layers")
        run.create(Experiment(generator=Generator(init_file_xy=str(network))), {}, {"run": "a"})
    run.config_path.unlink()
    for name in ("environment.json", "data.json", "init.json", "network_xy.keras"):
        names.append(name)
        if names[-2:-1] == [last] or last in names[:-1]:
            (run.path / name).unlink()
    (run.path / partial_name(".yaml")).write_text("half a config")
    run.cache.mkdir()
    (run.cache / "train_x.bin").write_bytes(b"images")
    with run.locked():
        # nothing of the first start may count, but prepared images
        assert sorted(path.name for path in run.path.iterdir()) == [".lock", "cache"]
        assert run.data_split() is None
        run.create(Experiment(), IMAGES)
    assert run.init_record() is None
    assert run.experiment() == Experiment()


def test_a_beginning_with_anything_else_in_it_is_not_taken_for_ours(tmp_path):
    run = RunDirectory(tmp_path / "run")
    with run.locked():
        run.create(Experiment(), {})
    run.config_path.unlink()
    (run.path / "thesis.txt").write_text("mine")
    before = sorted(run.path.iterdir())
    with refused("exists", "--run_dir"), run.locked():
        pytest.fail("a run was to begin there")
    assert sorted(run.path.iterdir()) == before


def test_the_mark_of_a_finished_run(run):
    assert run.finished_step() is None
    run.mark_finished(7)
    assert run.finished_step() == 7
    for damaged in (b"", b"[]", b"{}", b'{"step": "7"}', b"\xff", b"[" * 100_000):
        run.finished_path.write_bytes(damaged)
        assert run.finished_step() is None
    run.mark_finished(None)
    assert not run.finished_path.exists()
    run.mark_finished(None)
    run.finished_path.mkdir()
    with refused("unwritable", run.path):
        run.mark_finished(7)
