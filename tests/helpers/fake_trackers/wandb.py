"""The part of wandb that is called, keeping what it is given; tests put this folder on the path."""

from types import SimpleNamespace
from typing import Any

RUNS: dict[str, Any] = {}
BROKEN: list[Exception] = []  # an error to raise, while it is in here
AlertLevel = SimpleNamespace(WARN="WARN")


def Settings(**given):  # noqa: N802, as wandb spells it
    return SimpleNamespace(**given)


class Image:
    def __init__(self, pixels):
        self.shape = pixels.shape


class Run:
    offline = False

    def __init__(self, run_id, given):
        self.id, self.given, self.url = run_id, given, f"https://wandb.test/{run_id}"
        self.history, self.summary, self.alerts, self.exits = [], {}, [], []

    def define_metric(self, *names, **options):
        pass

    def log(self, values):
        if BROKEN:
            raise BROKEN[0]
        self.history.append(values)

    def alert(self, title, text, **options):
        self.alerts.append((title, text))

    def finish(self, exit_code):
        self.exits.append(exit_code)


def init(id=None, **given):
    if BROKEN:
        raise BROKEN[0]
    run_id = id or f"run{len(RUNS)}"
    return RUNS.setdefault(run_id, Run(run_id, given))
