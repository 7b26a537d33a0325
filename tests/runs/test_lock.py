"""The lock of a folder."""

import errno
import os
import threading

import pytest

from cyclegan_tf.runs import lock
from cyclegan_tf.runs.lock import FolderLock, HeldElsewhereError, is_of_others, is_own


def test_one_holder_at_a_time_whose_number_is_known(tmp_path):
    path = tmp_path / ".lock"
    first, second = FolderLock(path), FolderLock(path)
    first.acquire()
    assert (first.created, first.is_exclusive, is_own(path)) == (True, True, True)
    with pytest.raises(HeldElsewhereError) as caught:
        second.acquire()
    assert caught.value.holder == str(os.getpid())
    assert path.read_text() == f"{os.getpid()} cyclegan_tf\n"
    first.release()
    second.acquire()
    assert not second.created
    second.release(remove=True)
    assert list(tmp_path.iterdir()) == []


def test_whose_a_file_is(tmp_path):
    path = tmp_path / ".lock"
    assert (is_own(path), is_of_others(path)) == (False, False)
    for text, own in (("", False), ("1234", False), ("mine", False), ("12 cyclegan_tf\n", True)):
        path.write_text(text)
        assert (is_own(path), is_of_others(path)) == (own, not own)
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    assert (is_own(path), is_of_others(path)) == (False, True)


def test_the_file_of_an_early_version_is_signed(tmp_path):
    path = tmp_path / ".lock"
    path.write_text("1234567890123456789012345")
    assert not is_own(path)
    one = FolderLock(path)
    one.acquire()
    assert path.read_text() == f"{os.getpid()} cyclegan_tf\n"
    one.release()


def test_a_file_removed_between_opening_and_locking_is_not_held(tmp_path, monkeypatch):
    path, plain = tmp_path / ".lock", lock._lock_at_once
    others = []

    def late(handle):
        """A failed start removes the file here, and a third process makes and locks a new one."""
        monkeypatch.setattr(lock, "_lock_at_once", plain)
        path.unlink()
        others.append(FolderLock(path))
        others[0].acquire()
        plain(handle)

    monkeypatch.setattr(lock, "_lock_at_once", late)
    with pytest.raises(HeldElsewhereError):
        FolderLock(path).acquire()
    others[0].release()


def test_never_two_at_once_where_starts_fail_all_the_time(tmp_path):
    path, holders, most = tmp_path / ".lock", [], []

    def start():
        for _ in range(150):
            one = FolderLock(path)
            try:
                one.acquire()
            except HeldElsewhereError:
                continue
            holders.append(one)
            most.append(len(holders))
            holders.remove(one)
            one.release(remove=True)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) > 10
    assert set(most) == {1}


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_not_in_use(tmp_path, monkeypatch, number):
    def without(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lock, "_lock_at_once", without)
    one = FolderLock(tmp_path / ".lock")
    one.acquire()
    assert not one.is_exclusive
    one.release(remove=True)


def test_a_file_system_without_hard_links(tmp_path, monkeypatch):
    def without(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(lock.os, "link", without)
    one = FolderLock(tmp_path / ".lock")
    one.acquire()
    assert one.created
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    one.release()


def test_a_folder_that_is_gone(tmp_path):
    with pytest.raises(FileNotFoundError):
        FolderLock(tmp_path / "gone" / ".lock").acquire()
