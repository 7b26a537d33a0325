"""From the experiment to what is measured."""

from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.train.monitoring.choices import MonitorConfig


def test_an_experiment_decides():
    experiment = Experiment.from_dict(
        {
            "data": {"source": "images"},
            "logging": {"sample_images": 1, "test_images": 2, "score_images": 3},
            "training": {"best_metric": "psnr", "early_stopping_patience": 5},
        }
    )
    assert MonitorConfig.of(experiment) == MonitorConfig(1, 2, 3, "psnr", 5)


def test_without_scorings_no_image_is_scored():
    experiment = Experiment.from_dict({"logging": {"score_every_epochs": 0}})
    assert MonitorConfig.of(experiment).score_images == 0


def test_a_best_metric_brings_its_network():
    experiment = Experiment.from_dict({"training": {"best_metric": "kid_lite0"}})
    assert MonitorConfig.of(experiment).features == "lite0"


def test_directions_have_the_names_of_their_domains():
    assert MonitorConfig.of(Experiment()).labels["yx"] == "autumn to summer"
    unknown = Experiment.from_dict({"data": {"source": "images"}})
    assert MonitorConfig.of(unknown).labels == {"xy": "X to Y", "yx": "Y to X"}
