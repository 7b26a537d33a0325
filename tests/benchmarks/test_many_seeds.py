"""Many seeds at once: the same steps as the PyTorch reference takes, the same draws as its pool,
figures by hand."""

import dataclasses
import json
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import many_seeds
import seeds_chart
from jobs import Job

from cyclegan_tf.errors import UserError

torch = pytest.importorskip("torch")
from peers import torch_cyclegan, torch_seeds, torch_training  # noqa: E402

JOB = Job("", "torch", "float32", "nchw", size_px=32, filters=4, blocks=1, seed=3)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / name).mkdir()
        for number in range(3):
            pixels = rng.integers(0, 256, (40, 40, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    return tmp_path


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("precision", "upsampling"),
    [("float32", "transposed"), ("bfloat16", "transposed"), ("float32", "resize")],
)
def test_its_steps_are_those_of_the_reference(folder, precision, upsampling):
    job = dataclasses.replace(JOB, precision=precision)
    seeded = torch_seeds.Seeded(
        job, torch_seeds.Images(folder, 36, "cpu"), 4, 50.0, "cpu", upsampling
    )
    reference = torch_cyclegan.Training(job, upsampling=upsampling)
    if precision == "bfloat16":
        for generator in reference.networks[:2]:
            generator[-1] = torch_seeds.FloatTanh()
    for step in range(4):
        seeded.advance()
        for adam in (reference.adam_generators, reference.adam_discriminators):
            adam.param_groups[0]["lr"] = torch_training.RATE * torch_training.learning_rate_factor(
                step / 4
            )
        terms = reference.step(*(image.clone() for image in seeded._batch))
        assert seeded.losses() == pytest.approx(terms, rel=1e-5)
    for ours, theirs in zip(seeded.training.networks, reference.networks, strict=True):
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            if a.ndim > 1:  # the gradient of a bias under a norm is rounding alone
                assert torch.allclose(a, b, atol=1e-5)


def test_its_resizing_generator_is_ours():
    from cyclegan_tf.networks.builders import build_generator

    ours = build_generator("resnet_6blocks", filters=4, blocks=1, upsampling="resize", seed=1)
    theirs = torch_cyclegan.generator(4, 1, upsampling="resize")
    layers = [layer for layer in theirs.modules() if isinstance(layer, torch.nn.Conv2d)]
    convolutions = [layer for layer in ours.layers if getattr(layer, "kernel", None) is not None]
    with torch.no_grad():
        for layer, convolution in zip(layers, convolutions, strict=True):
            layer.weight.copy_(
                torch.from_numpy(np.asarray(convolution.kernel).transpose(3, 2, 0, 1).copy())
            )
        image = np.random.default_rng(3).uniform(-1, 1, (1, 32, 24, 3)).astype(np.float32)
        made = theirs(torch.from_numpy(image).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    assert made == pytest.approx(np.asarray(ours(image)), abs=1e-5)


@pytest.mark.usefixtures("one_thread")
def test_averages_follow_the_weights_and_leave_them_alone(folder):
    # 0.05 of the images shown is the most that the half-life may be: step 3 is the first to reach
    # the one asked for
    seeded = torch_seeds.Seeded(JOB, torch_seeds.Images(folder, 36, "cpu"), 3, 0.12, "cpu")
    wanted = [w.detach().clone() for w in seeded._weights()]
    for step in range(1, 4):
        seeded.advance()
        share = 1 - 0.5 ** (1 / (0.05, 0.10, 0.12)[step - 1])
        wanted = [
            a + share * (w.detach() - a) for a, w in zip(wanted, seeded._weights(), strict=True)
        ]
    for average, expected in zip(seeded._averages, wanted, strict=True):
        assert torch.allclose(average, expected, atol=1e-6)
    images = np.random.default_rng(1).uniform(-1, 1, (2, 32, 32, 3)).astype(np.float32)
    before = seeded.translated(images, 0, averaged=False)
    averaged = seeded.translated(images, 0, averaged=True)
    assert before.shape == images.shape
    assert np.abs(before - averaged).max() > 0
    assert np.array_equal(seeded.translated(images, 0, averaged=False), before)


def test_each_step_is_fed_a_crop_of_a_image_of_each_domain(folder):
    images = torch_seeds.Images(folder, 36, "cpu")
    seeded = torch_seeds.Seeded(JOB, images, 10, 50.0, "cpu")
    seen = []
    for _ in range(6):
        seeded._feed()
        for given, domain in zip(seeded._batch, images.domains, strict=True):
            pixels = ((given[0] + 1) * 127.5).round().to(torch.uint8)
            windows = domain.unfold(2, 32, 1).unfold(3, 32, 1)  # (N, 3, 5, 5, 32, 32)
            same = torch.stack(
                [
                    (windows == p[None, :, None, None]).all(-1).all(-1).all(1)
                    for p in (pixels, pixels.flip(-1))
                ]
            )
            assert same.sum() == 1
            seen.append(same.nonzero()[0].tolist())
    # A in a new order each epoch, each once; places and mirror images vary
    assert (
        sorted(number for _, number, *_ in seen[0:6:2])
        == sorted(number for _, number, *_ in seen[6:12:2])
        == [0, 1, 2]
    )
    assert {mirrored for mirrored, *_ in seen} == {0, 1}
    assert len({(top, left) for *_, top, left in seen}) > 3


def test_the_pool_draws_as_the_references_does():
    random.seed(5)
    theirs, ours = (
        torch_cyclegan.Pool(3),
        torch_seeds.DevicePool(random.Random(5), (1, 1, 1), "cpu", 3),
    )
    for number in range(40):
        fake = torch.full((1, 1, 1, 1), float(number))
        ours.draw()
        assert ours.exchange(fake).item() == theirs.exchange(fake).item()


def test_the_whole_way_from_images_to_a_table(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as the program would set it, but taken back
    tests, out = tmp_path / "tests.npz", tmp_path / "out"
    sizes = ["--size", "32", "--load_size", "36"]
    many_seeds.main(["tests", str(folder), str(tests), *sizes])
    words = [
        "--steps",
        "5",
        "--seeds",
        "2",
        "--filters",
        "4",
        "--blocks",
        "1",
        "--scorers",
        "1",
        *sizes,
    ]
    many_seeds.main(["train", str(folder), str(tests), str(out), "--precision", "float32", *words])
    lines = [json.loads(text) for text in (out / "results.jsonl").read_text().splitlines()]
    told = {(line["seed"], line["step"], line["averaged"]) for line in lines}
    assert told == {(s, step, a) for s in (11, 12) for step in (2, 3, 4, 5) for a in (False, True)}
    assert all(np.isfinite([*line["xy"].values(), *line["yx"].values()]).all() for line in lines)
    capsys.readouterr()
    many_seeds.main(["table", str(out / "results.jsonl")])
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 2 + 8
    assert table[2].startswith("| 2 of 5 | float32 | transposed | raw | 2 |")


def test_scores_are_those_of_the_race(folder):
    import split_scores

    from cyclegan_tf.evaluate.split import Split

    rng = np.random.default_rng(2)
    x, y = (rng.uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32) for _ in range(2))
    names = tuple("0123")
    pairs = tuple((i, (i + 1) % 4) for i in range(4))
    exam = split_scores.Exam(
        Split(list(x), list(y), names, names, pairs), {"x": list(x), "y": list(y)}
    )
    there, back = (exam.brief(lambda image: 0.5 * image, direction) for direction in ("xy", "yx"))
    for wanted, found in (
        (there, many_seeds.scores(y, 0.5 * x, np.array(pairs)[:, ::-1])),
        (back, many_seeds.scores(x, 0.5 * y, np.array(pairs))),
    ):
        assert found == pytest.approx({name: wanted[name] for name in found}, rel=1e-5)
    assert there["psnr"] != pytest.approx(back["psnr"], rel=1e-3)


def test_mean_and_error_by_hand():
    assert seeds_chart.told([100.0, 200.0, 300.0]) == "200 ± 58 (100 to 300)"
    assert seeds_chart.told([0.1, 0.2]) == "0.150 ± 0.050 (0.100 to 0.200)"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--load_size", "30", "--size", "32"], "--load_size 30 is smaller"),
        (["--steps", "0"], "1 or more"),
        (["--marks", "0.5", "1.5"], "at most 1"),
        (["--size", "64"], "holds images of 32 px"),
    ],
)
def test_bad_words_are_told_in_a_sentence(folder, tmp_path, words, told):
    images = np.zeros((1, 32, 32, 3), np.float16)
    np.savez(tmp_path / "tests.npz", x=images, y=images, pairs=[(0, 0)])
    with pytest.raises(UserError, match=told):
        many_seeds.main(
            ["train", str(folder), str(tmp_path / "tests.npz"), str(tmp_path / "out"), *words]
        )
    assert not (tmp_path / "out").exists()


def test_the_chart_shows_the_raw_ends_of_each_precision(tmp_path):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    from chart import DEFAULT

    def dots(**changes):
        """Pixels in bfloat16's color; lines of both precisions, bfloat16's with these changes."""
        scores = {"swd": 90.0, "colour_swd": 180.0, "color_fringe": 0.1}
        line = {
            "precision": "float32",
            "upsampling": "transposed",
            "steps": 8,
            "step": 8,
            "averaged": False,
            "xy": scores,
            "yx": scores,
        }
        lines = [
            line | more | {"seed": seed}
            for more in ({}, {"precision": "bfloat16"} | changes)
            for seed in (1, 2)
        ]
        seeds_chart.draw(lines, tmp_path / "seeds.png")
        pixels = (255 * pyplot.imread(tmp_path / "seeds.png")[..., :3]).round().astype(int)
        return (pixels == [int(DEFAULT[i : i + 2], 16) for i in (1, 3, 5)]).all(-1).sum()

    assert dots() > 100
    assert dots(step=4) == dots(averaged=True) == 0
