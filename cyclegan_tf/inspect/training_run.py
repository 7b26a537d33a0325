"""Describes a run directory: networks, progress, scores, images, and what made it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cyclegan_tf import assembly
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.data.pipeline import SamplingOrder
from cyclegan_tf.errors import reading
from cyclegan_tf.inspect.weight_files import network_rows
from cyclegan_tf.runs import checkpoints, run_directory
from cyclegan_tf.runs.differences import differences
from cyclegan_tf.runs.metrics_log import scores_at
from cyclegan_tf.train.budget import Budget


def inspect_run(folder: Path, size_px: int) -> dict[str, Any]:
    """Describes a run.

    The keys are "networks", "training", "best", "scores", "experiment", "images", "started_from",
    "made_with" and "notes".

    Args:
      folder: of the run.
      size_px: see `networks.summarize_network`.

    Raises:
      UserError: it is not a run directory, or of another version.
    """
    run = run_directory.RunDirectory(folder)
    experiment = run.experiment()
    best = _best(run)
    training, notes = _training(run, experiment)
    scored = best or training
    scores = (
        scores_at(run.metrics_path, scored["step"], scored.get("weights", "raw")) if scored else {}
    )
    return {
        "kind": "run directory",
        "networks": _networks(experiment, size_px),
        "training": training,
        "best": best,
        "scores": scores,
        "experiment": _describe_experiment(experiment),
        "images": {name: len(names) for name, names in (run.data_split() or {}).items()}
        | ({"pairs": len(pairs)} if (pairs := run.data_pairs()) else {}),
        "started_from": run.init_record(),
        "made_with": _made_with(run),
        "notes": notes,
    }


def _networks(experiment: Experiment, size_px: int) -> list[dict[str, Any]]:
    loss = experiment.loss
    networks = {
        f"generator_{way}": assembly.build_generator(experiment, way) for way in ("xy", "yx")
    }
    for domain, weight in (("x", loss.adversarial_x), ("y", loss.adversarial_y)):
        if weight:
            networks[f"discriminator_{domain}"] = assembly.build_discriminator(experiment, domain)
    return network_rows(networks, size_px)


def _training(
    run: run_directory.RunDirectory, experiment: Experiment
) -> tuple[dict[str, Any] | None, list[str]]:
    """How far the newest checkpoint that reads is, and complaints about newer ones."""
    notes: list[str] = []
    for path in checkpoints.list_checkpoints(run.checkpoints):
        try:
            scalars = checkpoints.read_state(path)
        except checkpoints.CorruptCheckpointError as error:
            notes.append(str(error))
            continue
        step, seconds = scalars["step"], scalars.get("seconds", 0.0)
        found = {
            "step": step,
            "minutes": round(seconds / 60, 2),
            "checkpoint": path.relative_to(run.path).as_posix(),
        }
        end = scalars.get("end_seconds")
        return found | _progress(run, experiment, step, seconds, end), notes
    return None, [*notes, "there is no checkpoint yet"]


def _progress(
    run: run_directory.RunDirectory,
    experiment: Experiment,
    step: int,
    seconds: float,
    end_seconds: float | None,
) -> dict[str, Any]:
    """Where a step lies in epochs and in the budget; empty for a run without a list of images."""
    images = run.data_split()
    if not images:
        return {}
    count_x, count_y = len(images["train_x"]), len(images["train_y"])
    per_epoch = SamplingOrder(
        count_x, count_y, experiment.data.batch_size, experiment.training.seed
    ).steps_per_epoch
    budget = Budget.of(experiment, per_epoch, end_seconds)
    made_longer = end_seconds and {"of_minutes": round(end_seconds / 60, 2)}
    return {
        **(made_longer or {"of_steps": budget.steps}),
        "epochs_done": round(step / per_epoch, 2),
        "steps_per_epoch": per_epoch,
        "share_of_budget": round(budget.progress(step, seconds), 4),
    }


def _best(run: run_directory.RunDirectory) -> dict[str, Any] | None:
    path = checkpoints.best_file(run.checkpoints)
    if path is None:
        return None
    scalars = checkpoints.read_state(path)
    return {name: scalars[name] for name in ("best_by", "score", "step", "weights")}


def _describe_experiment(experiment: Experiment) -> dict[str, Any]:
    """What was asked for: the images, and every field that is not the paper's recipe."""
    data = experiment.data
    source = f"{data.x_dir} and {data.y_dir}" if data.x_dir else data.source
    changed = {name: value for name, _, value in differences(Experiment(), experiment)}
    for name in ("data.source", "data.x_dir", "data.y_dir"):
        changed.pop(name, None)
    return {"data": source, **changed}


def _made_with(run: run_directory.RunDirectory) -> dict[str, Any] | None:
    path = run.path / "environment.json"
    if not path.is_file():
        return None
    with reading(path, "it must tell what the run was made with"):
        made_with = json.loads(path.read_bytes())
        versions = {"python": made_with["python"], **made_with["versions"]}
        return {
            "command": " ".join(made_with["command"]),
            "git_commit": made_with["git_commit"],
            "platform": made_with["platform"],
            "cpus": made_with["cpus"],
            "versions": versions,
        }
