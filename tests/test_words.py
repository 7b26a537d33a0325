"""One vocabulary, the field's: words of the old dialect stay out of the package and the docs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SEARCHED = {
    "cyclegan_tf": {".py", ".js", ".html", ".css", ".j2"},
    "docs": {".md"},
    "configs": {".yaml"},
    "export": {".md", ".py", ".sh", ".yaml"},
}
FILES = [
    ROOT / "README.md",
    *(
        path
        for folder, suffixes in SEARCHED.items()
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in suffixes
    ),
]
# Old word -> the field's.
WORDS = {
    r"judg(e|es|ed|ing)\b": "discriminator, evaluate",
    r"verdicts?": "logits, discriminator loss",
    r"pictures?": "image",
    r"films?": "video",
    r"colours?": "color",
    r"told": "described, logged",
    r"stand-ins?": "baseline",
    r"led around|way around": "skip connection",
    r"quiet start|quieten\w*": "scaled initialization",
    r"memori[sz]ed": "leaked (from training to test)",
    r"forgetful": "rematerialized",
    r"the authors' code": "the official PyTorch code",
    r"(?-i:_?(LEAST|MOST)_[A-Z]\w*)": "MIN_, MAX_",
}
# Names in files that users have: layers, registered classes, metrics, keys of old runs.
FORMATS = re.compile(
    r"""["'`>/](verdict|colour_skip(_add)?|ColourSkip|colour_swd)\b
    | "colours_" | \bcyclegan_tf_pictures_total\b | "--pictures"
    """,
    re.VERBOSE,
)
# The one table that reads old names.
ALIASES = "cyclegan_tf/config/files.py"


@pytest.mark.parametrize("word", WORDS)
def test_old_words_are_gone(word):
    pattern = re.compile(rf"(?<![A-Za-z]){word}(?![a-z])", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in FILES
        if path.relative_to(ROOT).as_posix() != ALIASES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(FORMATS.sub("", line))
    ]
    assert found == [], f"say {WORDS[word]} instead"
