"""The comparison's tables, from made lines."""

from benchmarks.baselines import table
from benchmarks.baselines.methods import Method

METHODS = {
    "bigan": Method("bigan", "BiGAN/ALI"),
    "cogan": Method("cogan", "CoGAN"),
    "later": Method("later", "Later", ""),
    "slow": Method("slow", "Slow"),
}


def line(name, title, seed, **scores):
    facts = {"run": f"maps/{name}-{seed}", "name": name, "title": title, "seed": seed}
    return {**facts, "steps": 100, "minutes": 3.0, "xy": scores, "yx": {}}


LINES = [
    line("cogan", "CoGAN", 1, psnr=12.0, swd=100.0),
    line("cogan", "CoGAN", 0, psnr=10.0, swd=100.0),
    line("bigan", "BiGAN/ALI", 0, psnr=13.0),
    {
        "run": "maps/baselines",
        "xy": {"unchanged input": {"psnr": 9.0}, "constant": {"psnr": 15.0}, "truth": {}},
        "yx": {"constant": {"psnr": 14.0}},
    },
    {"run": "facades/bigan-0", "name": "bigan"},
]


def rows(text):
    split = [[c.strip() for c in r.strip("|").split("|")] for r in text.splitlines() if "|" in r]
    return {cells[0]: cells[1:] for cells in split}


def test_methods_stand_in_their_order_and_baselines_below():
    text = table.markdown("maps", LINES, METHODS)
    first, second = text.split("### ")[1:]
    found = rows(first)
    assert first.startswith("maps, X to Y\n")
    assert list(found) == ["Method", "---", "BiGAN/ALI", "CoGAN", "unchanged input", "constant"]
    assert len({len(cells) for cells in found.values()}) == 1
    assert found["CoGAN"][0] == "11.00 (10.00 to 12.00)"
    assert found["CoGAN"][-3:] == ["0 1", "100", "3.0"]
    assert found["constant"][0] == "15.00"
    assert list(rows(second)) == ["Method", "---", "BiGAN/ALI", "CoGAN", "constant"]


def test_missing_methods_are_said():
    text = table.markdown("maps", LINES, METHODS)
    assert text.endswith("\nNot trained: Later, Slow.\n")


def test_label_maps_have_the_columns_of_table_3():
    assert "Per-pixel" not in table.markdown("maps", LINES, METHODS)
    labeled = [line("cogan", "CoGAN", 0, pixel_accuracy=0.5, class_accuracy=0.25, class_iou=0.2)]
    text = table.markdown("maps", labeled, METHODS)
    assert "| Method | Per-pixel acc. | Per-class acc. | Class IOU | PSNR dB |" in text
    assert rows(text.split("### ")[1])["CoGAN"][:4] == ["0.500", "0.250", "0.200", "-"]
