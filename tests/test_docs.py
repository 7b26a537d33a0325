"""The documentation: no dead link, short pages, references that hold every option."""

import dataclasses
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cyclegan_tf.config.experiment import SECTIONS
from tests.helpers import tiny
from tests.helpers.preloaded import run_code

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", *DOCS, *sorted((ROOT / "export").rglob("*.md"))]
LONG = {"architecture.md"}  # a list of decisions, read one by one
CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
MENTION = re.compile(r"\bdocs/[\w/]+\.(?:md|png)\b")


def anchors(page):
    """Of headings, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", h.lower())).strip("-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", page.read_text("utf-8"))):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
        assert page not in DOCS or ROOT / "docs" in target.resolve().parents, f"not in site: {link}"


def test_mentions_in_the_code_exist():
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    ).stdout.split("\n")
    files = [
        ROOT / name for name in listed if name.endswith((".py", ".yaml", ".toml", ".md", ".sh"))
    ]
    found = {
        (path.relative_to(ROOT).as_posix(), mention)
        for path in files
        if path.is_file()
        for mention in MENTION.findall(path.read_text("utf-8"))
    }
    assert [entry for entry in sorted(found) if not (ROOT / entry[1]).exists()] == []


@pytest.mark.parametrize("page", [PAGES[0], *DOCS], ids=lambda page: page.name)
def test_pages_are_short(page):
    lines = page.read_text("utf-8").splitlines()
    assert page.name in LONG or len(lines) <= (110 if page.name == "README.md" else 150)
    assert [line for line in lines if len(line) > 100 and not line.startswith("|")] == []


def test_images_are_few_or_small_and_each_is_shown():
    images = [path for kind in ("png", "jpg") for path in (ROOT / "docs").rglob(f"*.{kind}")]
    shown = "".join(page.read_text("utf-8") for page in PAGES)
    small = [image for image in images if image.stat().st_size < 40_000]
    assert len(images) - len(small) <= 4
    assert len(small) <= 20
    assert [image.name for image in images if image.name not in shown] == []


@pytest.fixture(scope="module")
def generated():
    spec = importlib.util.spec_from_file_location("generated", ROOT / "docs" / "generated.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in DOCS]
    assert [page for page in pages if page not in navigation] == []


def test_configuration_holds_every_field(generated):
    page = generated.configuration()
    for name, section in SECTIONS.items():
        for entry in dataclasses.fields(section):
            row = next(line for line in page.splitlines() if f"`--{name}.{entry.name}`" in line)
            cells = re.split(r"(?<!\\)\|", row)
            assert len(cells) == 6
            assert cells[2].strip()


def test_commands_hold_every_option(generated):
    page = generated.commands()
    for command, module in generated.COMMANDS.items():
        names = importlib.import_module(module).build_parser().option_names()
        section = page.split(f"## {command}\n", 1)[1].split("\n## ", 1)[0]
        assert [name for name in names if name not in section] == []


def test_python_holds_every_public_name(generated):
    page = generated.python()
    assert all(f"## cyclegan_tf.{name}\n" in page for name in generated.cyclegan_tf.__all__)


def test_options_stay_in_one_piece(generated):
    page = "<p>Give <code>--data.flip false</code>.</p><pre><code>--size</code></pre>"
    made = generated.on_page_content(page)
    assert '<code><span class="option">--data.flip</span> false</code>' in made
    assert made.endswith("<pre><code>--size</code></pre>")


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path):
    # CI installs `.[dev]`, which has it: there the site is built, or the test fails.
    is_there = all(map(importlib.util.find_spec, ("material", "mkdocs")))
    if not is_there and os.environ.get("CI") != "true":
        pytest.skip('mkdocs-material is not installed: pip install ".[docs]"')
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr[-3000:]
    assert "--tile_px" in (tmp_path / "reference/cli.html").read_text("utf-8")
    assert "--data.crop_size_px" in (tmp_path / "reference/configuration.html").read_text("utf-8")


def notebook_cells():
    path = ROOT / "docs" / "get_started" / "notebook.ipynb"
    return json.loads(path.read_text("utf-8"))["cells"]


def test_the_notebook_holds_no_results(generated):
    code = [cell for cell in notebook_cells() if cell["cell_type"] == "code"]
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"]] == []
    assert all("".join(cell["source"]) in generated.notebook() for cell in notebook_cells()[1:])


def toy():
    """The notebook's parameters for a training of two steps."""
    options = dict(word.removeprefix("--").split("=") for word in tiny.WORDS)
    return f"MINUTES, STEPS, OPTIONS = None, 2, { {**options, 'logging.sample_every_steps': '1'} }"


@pytest.mark.slow
def test_the_notebook_runs_top_to_bottom(tmp_path):
    cells = [cell for cell in notebook_cells() if cell["cell_type"] == "code"]
    assert "parameters" in cells[0]["metadata"]["tags"]
    parts = ["".join(cell["source"]) for cell in cells]
    code = "\n".join([parts[0], toy(), *parts[1:]])
    status, output = run_code(f"import os; os.chdir({str(tmp_path)!r})\n{code}", tmp_path)
    assert status == 0, output
    assert " files refused\n" in output
    assert (tmp_path / "shipped/keras/scenes_xy/generator_xy.keras").is_file()
