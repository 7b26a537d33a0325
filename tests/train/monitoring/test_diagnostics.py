"""Diagnostics: rules on numbers, and each situation met through the training command."""

import dataclasses
import json

import pytest

from cyclegan_tf.images import io as image_io
from cyclegan_tf.train.monitoring.diagnostics import FIRST_IMAGES, Diagnostics, DomainStatistics
from tests.helpers import watched

pytestmark = pytest.mark.usefixtures("plain_graphs")

HEALTHY = {"change": 0.2, "color_swd": 100.0, "luminance_correlation": 0.7, "variety": 0.9}
DOMAINS = DomainStatistics(0.3, 0.4, 300.0, 50.0, 0.1, 0.0)


def kinds(diagnoses):
    return [diagnosis.kind for diagnosis in diagnoses]


def after_scores(scores, domains=DOMAINS, images=10**4, direction="xy"):
    return kinds(Diagnostics().after_scores(direction, {**HEALTHY, **scores}, domains, images))


class TestScores:
    @pytest.mark.parametrize(
        ("scores", "kind"),
        [
            ({"change": 0.01, "color_swd": 299.0}, "copies_input_xy"),
            ({"luminance_correlation": -0.6}, "colors_inverted_xy"),
            ({"variety": 0.05}, "collapse_xy"),
        ],
    )
    def test_each_is_reported_once_and_again_after_it_went_away(self, scores, kind):
        watch = Diagnostics()
        wrong = {**HEALTHY, **scores}
        assert watch.after_scores("xy", HEALTHY, DOMAINS, 10**4) == []
        found = [
            watch.after_scores("xy", values, DOMAINS, 10**4)
            for values in (wrong, wrong, HEALTHY, wrong)
        ]
        assert [kinds(diagnoses) for diagnoses in found] == [[kind], [], [], [kind]]
        assert kinds(watch.after_scores("yx", wrong, DOMAINS, 10**4)) == [kind.replace("xy", "yx")]

    def test_what_generators_do_at_first_is_no_problem(self):
        assert after_scores({"variety": 0.0}, images=FIRST_IMAGES - 1) == []
        assert after_scores({"variety": 0.0}, images=FIRST_IMAGES) == ["collapse_xy"]

    @pytest.mark.parametrize("name", ["change", "color_swd", "luminance_correlation", "variety"])
    def test_an_unknown_score_is_no_problem(self, name):
        wrong = {"change": 0.0, "color_swd": 300.0, "luminance_correlation": -1.0, "variety": 0.0}
        lost = {"luminance_correlation": "colors_inverted_xy", "variety": "collapse_xy"}.get(
            name, "copies_input_xy"
        )
        assert lost in after_scores(wrong)
        assert lost not in after_scores({**wrong, name: None})
        nothing = DomainStatistics(None, None, None, None, 0.0, 0.0)
        assert after_scores({"change": 0.0, "variety": 0.0}, nothing) == []

    def test_a_copy_is_right_where_domains_are_similar_or_little_is_enough(self):
        copy = {"change": 0.0, "color_swd": 300.0}
        assert after_scores(copy) == ["copies_input_xy"]
        assert after_scores(copy, dataclasses.replace(DOMAINS, within_distance=250.0)) == []
        assert after_scores({"change": 0.03, "color_swd": 120.0}) == []

    @pytest.mark.parametrize(
        ("changes", "explained"),
        [
            ({}, False),
            (
                {"input_luminance": -0.6, "target_luminance": 0.5},
                True,
            ),  # dark drawings, light paper
            ({"input_luminance": 0.4, "target_luminance": 0.5}, False),
            (
                {"input_luminance": -0.03, "target_luminance": 0.04},
                False,
            ),  # too near the middle to know
            ({"truth_correlation": -0.5}, True),
            ({"truth_correlation": 0.2, "input_luminance": -0.6, "target_luminance": 0.5}, False),
        ],
    )
    def test_a_negative_may_be_what_the_domains_ask_for(self, changes, explained):
        domains = dataclasses.replace(DOMAINS, **changes)
        wanted = [] if explained else ["colors_inverted_xy"]
        assert after_scores({"luminance_correlation": -0.8}, domains) == wanted

    def test_outputs_as_alike_as_the_inputs_are_no_collapse(self):
        assert (
            after_scores({"variety": 0.05}, dataclasses.replace(DOMAINS, input_diversity=0.03))
            == []
        )


class TestRows:
    def rows(self, watch, accuracy, steps):
        """Warnings by step; one row each."""
        values = {
            f"accuracy_{kind}_{d}": a for d, a in accuracy.items() for kind in ("real", "fake")
        }
        return {step: kinds(found) for step in steps if (found := watch.after_row(step, values))}

    def test_five_rows_and_250_steps_in_a_row(self):
        assert self.rows(Diagnostics(), {"x": 0.9, "y": 0.99}, range(50, 1000, 50)) == {
            300: ["discriminator_wins_y"]
        }
        assert self.rows(Diagnostics(), {"x": 0.99}, range(2, 400, 2)) == {
            252: ["discriminator_wins_x"]
        }
        assert self.rows(Diagnostics(), {"x": 0.99}, range(500, 4000, 500)) == {
            2500: ["discriminator_wins_x"]
        }

    def test_one_lost_row_begins_anew(self):
        watch = Diagnostics()
        assert self.rows(watch, {"y": 0.99}, range(50, 300, 50)) == {}
        assert self.rows(watch, {"y": 0.97}, [300]) == {}
        assert self.rows(watch, {"y": 0.99}, range(350, 700, 50)) == {600: ["discriminator_wins_y"]}

    def test_both_kinds_of_images_count_and_discriminators_may_be_absent(self):
        watch = Diagnostics()
        for step in range(50, 1000, 50):
            assert (
                watch.after_row(
                    step, {"accuracy_real_x": 1.0, "accuracy_fake_x": 0.5, "cycle_x": 0.1}
                )
                == []
            )

    def test_a_wasserstein_critic_is_meant_to_win(self):
        assert self.rows(Diagnostics(critic=True), {"x": 1.0}, range(50, 1000, 50)) == {}

    def test_resumed_it_counts_on_and_does_not_repeat(self):
        watch = Diagnostics()
        self.rows(watch, {"y": 0.99, "x": 0.99}, range(50, 250, 50))
        resumed = Diagnostics()
        resumed.load_state_dict(json.loads(json.dumps(watch.state_dict())))
        assert self.rows(resumed, {"y": 0.99}, range(250, 350, 50)) == {
            300: ["discriminator_wins_y"]
        }
        again = Diagnostics()
        again.load_state_dict(json.loads(json.dumps(resumed.state_dict())))
        assert self.rows(again, {"y": 0.99}, range(350, 900, 50)) == {}


SCORED_OFTEN = (
    "--training.max_steps=192",
    "--logging.score_every_epochs=32",
)  # at 64, 128 and 192 steps of 4 images


@pytest.fixture(scope="module")
def unlike(tmp_path_factory):
    """X has soft and pale spots, Y is noise; both are as light."""
    return watched.folder(
        tmp_path_factory.mktemp("unlike"), lambda rng: watched.smooth(rng, 64, 192), watched.noise
    )


class TestThroughTraining:
    @pytest.mark.parametrize(
        ("kernel", "bias", "kind", "words"),
        [
            (1.0, 0.0, "copies_input", "copies its input"),
            (-1.0, 0.0, "colors_inverted", "inverts light and dark"),
            (0.0, 0.2, "collapse", "has collapsed"),
        ],
    )
    def test_generators(self, unlike, tmp_path, monkeypatch, capsys, kernel, bias, kind, words):
        watched.pixelwise(monkeypatch, kernel, bias)
        lines, texts = watched.warnings_of(unlike, tmp_path / "run", capsys, *SCORED_OFTEN)
        assert [line.split(" ")[1] for line in lines] == [
            "G",
            "F",
        ]  # after 512 images, and not again after 768
        assert all(words in line for line in lines)
        assert set(texts) == {f"warning/{kind}_xy", f"warning/{kind}_yx"}
        assert f"warning: {texts[f'warning/{kind}_xy'][0]}" == lines[0]

    def test_a_discriminator_that_wins(self, tmp_path, monkeypatch, capsys):
        dark, light = (lambda rng, low=low: watched.smooth(rng, low, low + 90) for low in (0, 160))
        source = watched.folder(tmp_path / "images", dark, light)
        # what copies its input is at the optimum of cycle and identity, and nearly nothing else
        # pulls
        watched.pixelwise(monkeypatch, 1.0)
        more = (
            "--optimizer.learning_rate=2e-3 --loss.adversarial_x=1e-6 "
            "--loss.adversarial_y=1e-6 --data.batch_size=1"
        )
        lines, texts = watched.warnings_of(
            source, tmp_path / "run", capsys, *more.split(), "--training.max_steps=500", "--quiet",
            "--logging.log_every_steps=20",
        )  # fmt: skip
        assert {tag for tag in texts if "wins" in tag} == {
            "warning/discriminator_wins_x",
            "warning/discriminator_wins_y",
        }
        assert [line[9:12] for line in lines if "wins" in line] in (["D_X", "D_Y"], ["D_Y", "D_X"])
        assert any("copies its input" in line for line in lines)

    def test_flat_images_and_a_leaked_test_split_at_the_start(self, tmp_path, monkeypatch, capsys):
        source = watched.folder(tmp_path / "images", watched.smooth, watched.smooth)
        flat = image_io.read(source / "trainA" / "trainA_0.png") * 0 + 77
        image_io.save(source / "trainA" / "flat.png", flat)
        image_io.save(source / "testB" / "empty.png", flat)
        copy = image_io.read(source / "trainB" / "trainB_3.png")
        image_io.save(source / "testB" / "known.png", copy)
        watched.pixelwise(monkeypatch, 0.9)
        lines, texts = watched.warnings_of(
            source, tmp_path / "run", capsys, "--training.max_steps=1"
        )
        assert [line[: line.index(")")] for line in lines] == [
            "warning: 2 images are of one color (trainA/flat.png, testB/empty.png",
            "warning: 1 test image is in the training split too (testB/known.png",
        ]
        assert "1 of them among those that are scored" in lines[1]
        assert set(texts) == {"warning/flat_images", "warning/leaked_test_split"}


@pytest.mark.slow
def test_a_healthy_demo_raises_no_alarm(tmp_path, capsys):
    small = (
        "--data.load_size_px=18 --data.crop_size_px=16 --data.batch_size=8 --generator.filters=8 "
        "--generator.blocks=1 --generator.upsampling=resize "
        "--generator.architecture=resnet_6blocks --discriminator.filters=8 "
        "--discriminator.n_layers=1 --optimizer.learning_rate=1e-3 --training.max_steps=75 "
        "--training.constant_epochs=100 --logging.log_every_steps=5 "
        "--logging.score_every_epochs=1"
    )
    lines, texts = watched.warnings_of("demo", tmp_path / "run", capsys, *small.split())
    rows = [
        json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    ]
    assert [row["step"] for row in rows if row["kind"] == "score"] == [
        50,
        75,
    ]  # 75 steps show 600 images
    assert lines == []
    assert texts == {}
