"""Reports as text."""

from cyclegan_tf.inspect.render import render_report

REPORT = {
    "path": "runs/a",
    "kind": "run directory",
    "size_bytes": 2_500_000,
    "best": None,
    "networks": [
        {
            "name": "generator_xy",
            "parameters": 11_378_179,
            "macs": 49_600_000_000,
            "receptive_field_px": [3, 5],
        },
        {
            "name": "d",
            "parameters": 7,
            "macs": 1_500_000,
            "receptive_field_px": None,
            "notes": ["too small"],
        },
    ],
    "training": {"step": 1200, "minutes": 3.5, "gone": None, "files_as_exported": True},
    "versions": {},
    "operations": {f"OP_{index}": 20 - index for index in range(14)},
    "notes": ["one", "two"],
    "tensors": [{"name": "images", "shape": [1, None, None, 3], "dtype": "float32"}],
    "started_from": {"messages": ["a", "b"], "discriminators": {"x": {"step": 3}, "y": None}},
}


def test_every_kind_of_value():
    lines = render_report(REPORT).splitlines()
    assert lines[:2] == ["runs/a: run directory", "size bytes  2.5 MB"]
    table = lines.index("networks")
    assert lines[table + 1].split() == "name parameters MACs field px".split()
    assert lines[table + 2].split() == "generator_xy 11,378,179 49.6 G 3 x 5".split()
    assert lines[table + 3].split() == ["d", "7", "1.5", "M"]
    assert lines[table + 4].strip() == "d: too small"
    assert "  step               1,200" in lines
    assert "  files as exported  yes" in lines
    assert "  images  1 x ? x ? x 3  float32" in lines
    assert "  messages        a; b" in lines
    assert "  discriminators  x step 3, y none" in lines
    assert lines[lines.index("notes") + 1 :][:2] == ["  one", "  two"]


def test_what_is_empty_or_unknown_is_left_out():
    text = render_report(REPORT)
    for word in ("best", "versions", "gone"):
        assert word not in text


def test_many_operations_are_cut_short_and_all_counted():
    line = next(line for line in render_report(REPORT).splitlines() if "in all" in line)
    assert line.startswith(f"  {sum(range(7, 21))} in all: 20 OP_0, 19 OP_1")
    assert line.endswith("and 2 other kinds")


def test_columns_stand_below_each_other():
    lines = render_report(REPORT).splitlines()
    table = lines.index("networks")
    header, row = lines[table + 1], lines[table + 2]
    assert header.index("parameters") + len("parameters") == row.index("11,378,179") + len(
        "11,378,179"
    )
