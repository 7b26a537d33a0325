"""The terminal's table."""

from cyclegan_tf.evaluate.report.table import format_table
from tests.helpers import tiny_evaluation as tiny


def test_columns_stand_below_their_names():
    lines = format_table(tiny.direction()).splitlines()
    assert lines[0].split() == [
        "X",
        "→",
        "Y",
        "G(x)",
        "unchanged",
        "input",
        "constant",
        "random",
        "real",
    ]
    assert lines[2].split()[-4:] == ["20.50", "18.00", "∞", "10.00"]
    for name, number in (("G(x)", "20.50"), ("unchanged input", "18.00"), ("random real", "10.00")):
        assert lines[0].index(name) + len(name) == lines[2].index(number) + len(number)
    assert max(map(len, lines)) <= 100


def test_what_is_not_known_is_left_out_or_a_dash():
    text = format_table(tiny.direction())
    assert "Cycle error" not in text
    (line,) = [line for line in text.splitlines() if line.startswith("SWD")]
    assert line.split()[-4:] == ["80.0", "90.0", "-", "10.0"]
    (line,) = [line for line in text.splitlines() if line.startswith("Diversity")]
    assert line.split() == ["Diversity", "(0:", "all", "alike)", "0.50"]


def test_intervals_have_their_own_line():
    lines = format_table(tiny.direction()).splitlines()
    place = next(index for index, line in enumerate(lines) if line.startswith("FID"))
    assert lines[place + 1].split() == ["90.0", "to", "110.0", "(95", "%", "interval)"]


def test_the_other_direction():
    assert format_table(tiny.direction(direction="yx", baselines={})).splitlines()[0].split() == [
        "Y",
        "→",
        "X",
        "F(y)",
    ]


def test_domains_are_called_by_their_names():
    assert format_table(tiny.direction(label="apples to pears")).startswith("apples to pears ")
