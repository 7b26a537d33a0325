"""What a run says it was made with."""

import json
import sys

from cyclegan_tf.runs import provenance


def test_environment_is_ready_for_json():
    found = provenance.environment()
    assert json.loads(json.dumps(found)) == found
    assert found["command"] == sys.argv
    assert found["versions"]["keras"].startswith("3.")


def test_an_installed_package_has_no_commit(tmp_path, monkeypatch):
    installed = tmp_path / "site-packages" / "cyclegan_tf" / "runs" / "provenance.py"
    monkeypatch.setattr(provenance, "__file__", str(installed))
    assert provenance.git_commit() is None


def test_a_checkout_without_git_has_none(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    (tmp_path / "cyclegan_tf").mkdir()
    inside = tmp_path / "cyclegan_tf" / "runs" / "provenance.py"
    monkeypatch.setattr(provenance, "__file__", str(inside))
    monkeypatch.setenv("PATH", "")
    assert provenance.git_commit() is None
