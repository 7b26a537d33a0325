"""LiteRT.js out of npm, the cache or a folder: verified, and nothing else in its place."""

import tarfile

import pytest

from cyclegan_tf.errors import UserError
from cyclegan_tf.export.litertjs import PACKAGES, litertjs_files
from cyclegan_tf.foreign.cache import cache_folder
from tests.helpers.fake_npm import INDEX, asked, fake_contents, give, integrity, tarball

CORE = PACKAGES[0]


def refused(folder=None):
    """Code and message of what `litertjs_files` raises."""
    with pytest.raises(UserError) as caught:
        litertjs_files(folder)
    return caught.value.code, str(caught.value)


def test_a_damaged_cache_is_fetched_anew(npm, tmp_path):
    litertjs_files()
    kept = cache_folder("litertjs") / CORE.tarball
    assert kept.is_relative_to(tmp_path / "cache")
    whole = kept.read_bytes()
    kept.write_bytes(whole[:-1])
    litertjs_files()
    assert asked(npm).count("@litertjs/core@2.5.3") == 2
    assert kept.read_bytes() == whole


def test_a_folder_of_tarballs_or_node_modules_serves_instead_of_npm(npm, tmp_path):
    wanted = litertjs_files(npm)
    for package, files in zip(PACKAGES, fake_contents(), strict=True):
        for name, content in {**files, "package/package.json": b'{"version": "2.5.3"}'}.items():
            path = tmp_path / "project/node_modules" / package.name / name.removeprefix("package/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    assert litertjs_files(tmp_path / "project") == wanted
    assert litertjs_files(tmp_path / "project/node_modules") == wanted
    assert asked(npm) == []
    path.write_text('{"version": "2.4.0"}')
    code, message = refused(tmp_path / "project")
    assert code == "mismatch"
    assert "is not version 2.5.3 of @litertjs/wasm-utils" in message
    code, message = refused(tmp_path)
    assert code == "missing"
    assert "holds neither litertjs-core-2.5.3.tgz nor" in message


def test_no_npm_says_what_to_do(npm, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        UserError, match=r"install Node\.js, or run `npm pack .*--litertjs_dir"
    ) as e:
        litertjs_files()
    assert (e.value.code, e.value.field) == ("dependency", "npm")


def test_an_npm_without_network_says_so(npm):
    (npm / CORE.tarball).unlink()
    code, message = refused()
    assert code == "missing"
    assert "npm could not fetch @litertjs/core 2.5.3 (code ENOTFOUND)" in message


def test_another_content_than_pinned_is_refused(npm, monkeypatch):
    give(monkeypatch, npm, "@litertjs/core", tarball(fake_contents()[0]) + b"\0", pinned=False)
    code, message = refused()
    assert code == "mismatch"
    assert "is not @litertjs/core 2.5.3: its checksum differs" in message
    assert not (cache_folder("litertjs") / CORE.tarball).exists()
    assert refused(npm)[0] == "mismatch"


@pytest.mark.parametrize("name", ["package/../../evil.js", "/evil.js"])
def test_paths_out_of_the_package_are_refused(npm, monkeypatch, name):
    give(monkeypatch, npm, "@litertjs/core", tarball({**fake_contents()[0], name: b"evil"}))
    code, message = refused()
    assert code == "mismatch"
    assert f"holds {name!r}, which no such package holds" in message


def test_links_in_a_package_are_refused(npm, monkeypatch):
    content = tarball(dict.fromkeys(fake_contents()[0], b""), tarfile.SYMTYPE)
    give(monkeypatch, npm, "@litertjs/core", content)
    assert "which no such package holds" in refused()[1]


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"not gzip", "unreadable", "cannot be unpacked"),
        (
            tarball({"package/dist/index.js": INDEX}),
            "mismatch",
            "lacks wasm/litert_wasm_compat_internal.js",
        ),
        (
            tarball({**fake_contents()[0], "package/dist/index.js": b"another"}),
            "mismatch",
            "is not that of 2.5.3",
        ),
    ],
)
def test_another_package_than_expected_is_refused(npm, monkeypatch, content, code, words):
    give(monkeypatch, npm, "@litertjs/core", content)
    found, message = refused()
    assert found == code
    assert words in message


def test_what_the_cache_holds_is_the_pinned_content(npm):
    litertjs_files()
    from cyclegan_tf.export import litertjs

    for package in litertjs.PACKAGES:
        assert (
            integrity((cache_folder("litertjs") / package.tarball).read_bytes())
            == package.integrity
        )
