"""Folders that a run may begin in; most of it is in test_run_directory.py."""

from cyclegan_tf.runs import beginning
from cyclegan_tf.runs.beginning import clear, foreign_entries, make_and_lock, remove_folders


def test_made_folders_are_removed_as_far_as_they_are_empty(tmp_path):
    lock, made = make_and_lock(tmp_path / "a" / "b" / "c")
    assert [path.name for path in made] == ["c", "b", "a"]
    assert foreign_entries(made[0]) == []
    lock.release(remove=True)
    (tmp_path / "a" / "mine.txt").write_text("kept")
    remove_folders(made)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["mine.txt"]
    assert make_and_lock(tmp_path / "a")[1] == []


def test_links_and_folders_of_known_names_are_foreign(tmp_path):
    folder, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    elsewhere.mkdir()
    make_and_lock(folder)[0].release()
    (folder / "data.json").mkdir()
    (folder / "cache").symlink_to(elsewhere)
    assert foreign_entries(folder) == ["cache", "data.json"]
    assert foreign_entries(folder / ".lock") == [".lock"]
    assert foreign_entries(tmp_path / "absent") == []


def test_a_lock_made_between_two_looks_is_not_foreign(tmp_path, monkeypatch):
    """Another start may make its lock, or take it away, at any moment."""
    plain = beginning.is_own

    def late(path):
        monkeypatch.setattr(beginning, "is_own", plain)
        return False  # it was not there when it was read

    make_and_lock(tmp_path)[0].release()
    monkeypatch.setattr(beginning, "is_own", late)
    assert foreign_entries(tmp_path) == []


def test_what_goes_between_two_looks_is_not_foreign(tmp_path, monkeypatch):
    """A start that fails takes its folder of prepared images away."""
    make_and_lock(tmp_path)[0].release()
    (tmp_path / "cache").mkdir()

    def late(path):
        (tmp_path / "cache").rmdir()
        return True

    monkeypatch.setattr(beginning, "is_own", late)
    assert foreign_entries(tmp_path) == []


def test_of_a_cache_only_its_own_files_go(tmp_path):
    for name in ("train_x.bin", "train_y.json", "thesis.txt"):
        (tmp_path / "cache").mkdir(exist_ok=True)
        (tmp_path / "cache" / name).write_text("")
    clear(tmp_path, keep_cache=False)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["thesis.txt"]
