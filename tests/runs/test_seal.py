"""A text with a checksum in its first line."""

import yaml

from cyclegan_tf.runs.seal import check, is_whole, sealed
from tests.helpers.errors import refused

TEXT = sealed("data:\n  batch_size: 1\n  seed: 7\n")


def test_a_sealed_text_is_the_same_yaml():
    assert yaml.safe_load(TEXT) == {"data": {"batch_size": 1, "seed": 7}}


def test_every_other_text_is_noticed():
    data = TEXT.encode()
    first = data.index(b"\n") + 1
    assert is_whole(data)
    for place in range(first, len(data)):
        assert not is_whole(data[:place])
        assert not is_whole(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    assert not is_whole(data.replace(b"sha256", b"shb256").replace(b"seed: 7", b"seed: 3"))


def test_what_nobody_sealed_and_other_ends_of_lines_pass():
    assert is_whole(b"data:\n  batch_size: 1\n")
    assert is_whole(b"# mine\ndata: {}\n")
    assert is_whole(b"")
    assert is_whole(TEXT.encode().replace(b"\n", b"\r\n"))
    assert is_whole(sealed("source: \udcff\n").encode("utf-8", "backslashreplace"))


def test_a_changed_file_is_named_and_what_to_do(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(TEXT)
    check(path)
    path.write_text(TEXT.replace("seed: 7", "seed: 3"))
    with refused("mismatch", path, match="remove that line if the change is meant"):
        check(path)
    with refused("unreadable", tmp_path / "none"):
        check(tmp_path / "none")
