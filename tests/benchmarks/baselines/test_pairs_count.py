"""The program of the chart: which trainings, and its way from them to a table."""

import json
import shutil

from benchmarks.baselines import compare, pairs_count
from tests.helpers import tiny


def test_only_the_number_of_known_partners_differs(tmp_path):
    given = pairs_count.parse(["demo", "--steps", "7", "--out", str(tmp_path)])
    runs = pairs_count.planned("demo", given)
    found = {run.method.name: run.command for run in runs}
    assert list(found) == ["pairs0", "pairs5", "pairs25", "pairs100", "pairsall"]
    values = {}
    for name, command in found.items():
        words = command[: command.index("--run_dir")]
        at = words.index("--data.pairs") + 1
        values[name] = words[at]
        assert [*words[:at], *words[at + 1 :]] == [*found["pairs0"][:at], *words[at + 1 :]]
        assert words[words.index("--data.source") + 1] == "demo:paired"
        assert words[words.index("--training.max_steps") + 1] == "7"
    assert list(values.values()) == ["none", "5", "25", "100", "auto"]


def test_from_trainings_to_a_table(tmp_path, monkeypatch, tiny_run, capsys):
    trained = []

    def take(run):
        trained.append(run.name)
        shutil.copytree(tiny_run, run.path)
        return 0

    monkeypatch.setattr(compare.Run, "train", take)
    monkeypatch.setattr(compare, "SIZE_PX", 32)
    monkeypatch.setattr(compare, "LOAD_PX", 32)
    monkeypatch.setattr(pairs_count, "COUNTS", ("0", "5"))
    data = tiny.folder(tmp_path / "images", counts=(4, 4, 2, 2), size=32)
    words = [str(data), "--steps", "3", "--out", str(tmp_path / "out")]
    assert pairs_count.main(words) == 0
    assert trained == ["images/pairs0-0", "images/pairs5-0"]
    lines = list(map(json.loads, (tmp_path / "out" / "images.jsonl").read_text().splitlines()))
    assert [line.get("title") for line in lines] == [None, "0 pairs", "5 pairs"]
    text = (tmp_path / "out" / "images.md").read_text()
    assert "| 5 pairs |" in text
    assert text in capsys.readouterr().out
    assert pairs_count.main(words) == 0
    assert len(trained) == 2
