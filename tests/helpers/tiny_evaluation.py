"""A small result of an evaluation, every part of it filled, for tests of tables and reports."""

import numpy as np

from cyclegan_tf.evaluate.results import DirectionResult, Evaluation, ReportImage


def image(value=0.0, size=(8, 12)):
    return np.full((*size, 3), value, np.float32)


def report_image(name, psnr):
    columns = {"x": image(-1), "G(x)": image(0), "truth": image(1)}
    return ReportImage(name, {"psnr": psnr, "mae": None}, columns)


def direction(**changes):
    values = {
        "direction": "xy",
        "checkpoint": "runs/a/step_7.npz (step 7)",
        "counts": {"inputs": 3, "targets": 2, "pairs": 2},
        "scores": {
            "psnr": 20.5,
            "mae": 0.25,
            "fid": 101.26,
            "swd": 80.04,
            "cycle_error": None,
            "variety": 0.5,
        },
        "baselines": {
            "unchanged input": {"psnr": 18.0, "mae": 0.2, "swd": 90.0, "fid": 150.0},
            "constant": {"psnr": float("inf"), "mae": 0.5, "swd": None},
            "random real": {"psnr": 10.0, "mae": 0.6, "swd": 10.0},
        },
        "swd_levels": {32: 100.5, 16: 59.58},
        "per_image": {"psnr": (20.0, 21.0, None), "mae": (0.2, 0.3, None)},
        "input_names": ("a.png", "b<i>.png", "c.png"),
        "ranked_by": "psnr",
        "groups": {"all": [report_image("a.png", 20.0), report_image("b<i>.png", 21.0)]},
        "intervals": {"fid": (90.04, 110.0)},
        "classes": {
            "wall": {"share": 1.0, "accuracy": 0.5, "iou": 0.25},
            "door": {"share": 0.0, "accuracy": None},
        },
    }
    return DirectionResult(**{**values, **changes})


def evaluation(*directions, **changes):
    values = {
        "title": "runs/a & b",
        "facts": {"Data": "two <folders>"},
        "directions": list(directions) or [direction()],
        "notes": ["mind this"],
        "protocol": {"SWD": "as written"},
    }
    return Evaluation(**{**values, **changes})
