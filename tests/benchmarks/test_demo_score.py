"""The program that scores a run of the demo, with networks that have not trained."""

import numpy as np
from PIL import Image

from benchmarks.quality import demo_score, split_scores
from cyclegan_tf import assembly
from cyclegan_tf.config.experiment import Data, Discriminator, Experiment, Generator, Training
from cyclegan_tf.runs import checkpoints, state
from cyclegan_tf.runs.run_directory import RunDirectory
from tests.helpers.errors import refused


def untrained(path, source):
    """A run with the checkpoint of networks as they are initialized."""
    experiment = Experiment(
        data=Data(source=source, load_size_px=32, crop_size_px=32),
        generator=Generator("resnet_6blocks", filters=2, blocks=1),
        discriminator=Discriminator(filters=2, n_layers=1),
        training=Training(precision="float32"),
    )
    run, arrays = RunDirectory(path), {}
    run.create(experiment, {})
    for direction in ("xy", "yx"):
        network = assembly.build_generator(experiment, direction)
        arrays |= state.snapshot(state.network_variables(network, f"generator_{direction}"))
    checkpoints.write(run.checkpoints, 1, arrays, {"step": 1, "seconds": 1.0}, keep=1)
    return path


def test_scores_are_printed_and_scenes_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(split_scores, "MAX_TRAINING_TARGETS", 2)
    words = [str(untrained(tmp_path / "run", "demo")), "--image", str(tmp_path / "scenes.png")]
    assert demo_score.main(words) == 0
    printed = capsys.readouterr().out
    for direction in ("xy", "yx"):
        assert f"{direction}, on the animals" in printed
    for name in ("translated", "unchanged input", "constant", "random real"):
        assert printed.count(f"  {name:<16}mean absolute difference") == 2
    assert "in 0 of 60 scenes" in printed  # the unchanged input is no nearer than itself
    drawn = np.asarray(Image.open(tmp_path / "scenes.png"))
    assert drawn.shape[1] > 8 * 128 > drawn.shape[0]
    assert np.ptp(drawn) > 200


def test_a_run_on_other_images_is_refused(tiny_run):
    with refused("mismatch", match="not trained on the demo"):
        demo_score.main([str(tiny_run)])
