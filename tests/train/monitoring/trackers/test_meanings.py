"""A sentence beside every curve."""

from cyclegan_tf.evaluate import scores
from cyclegan_tf.train.monitoring.trackers.meanings import meaning


def test_losses_speeds_and_scores_have_one():
    assert "there and back" in meaning("loss/cycle_x")
    assert "per second" in meaning("speed/steps_per_second")
    assert meaning("score/psnr_xy").startswith("Of G, X to Y: Peak signal-to-noise ratio of G(x)")
    assert all(meaning(f"score/{name}_yx") for name in scores.HIGHER_IS_BETTER)


def test_a_score_of_the_way_back_is_described_as_such():
    assert meaning("score/cycle_error_yx") == (
        "Of F, Y to X: Mean of |G(F(y)) - y|; black to white is 2. Lower is better."
    )


def test_what_is_not_known_has_none():
    assert meaning("score/beauty_xy") == meaning("speed/of_light") == meaning("other") == ""
