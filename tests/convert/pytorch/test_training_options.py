"""train_opt.txt: what of it becomes a field, and what is said of the rest."""

import pytest

from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.convert.pytorch import training_options
from cyclegan_tf.images.training_scale import TrainingScale
from tests.helpers.errors import refused


def written(folder, file="train_opt.txt", /, **options):
    """A file as the official BaseOptions.print_options lays it out."""
    lines = ["----------------- Options ---------------"]
    for option, value in sorted(options.items()):
        comment = "\t[default: whatever]" if option.startswith(("l", "d")) else ""
        lines.append(f"{option:>25}: {value!s:<30}{comment}")
    (folder / file).write_text("\n".join([*lines, "----------------- End -------------------"]))
    return folder


def read(folder, /, **options):
    return training_options.read(written(folder, **options))


def test_no_file_is_nothing(tmp_path):
    assert training_options.read(tmp_path) is None


@pytest.mark.parametrize("kept", [0, 60, -20])
def test_a_file_that_lost_its_end_is_refused(tmp_path, kept):
    path = written(tmp_path, gan_mode="vanilla", lr=0.0001, pool_size=7) / "train_opt.txt"
    path.write_text(path.read_text()[:kept])
    with refused("unreadable", path, match="is cut off or no file of options"):
        training_options.read(tmp_path)


def test_what_becomes_a_field(tmp_path):
    options = read(
        tmp_path, gan_mode="vanilla", lambda_A=8.0, lambda_B=12.5, lambda_identity=0.1, lr=0.0001,
        beta1=0.4, n_epochs=30, n_epochs_decay=70, pool_size=7, preprocess="scale_width_and_crop",
        load_size=300, crop_size=128, batch_size=2, no_flip=True, no_dropout=False,
        lr_policy="linear", direction="AtoB", dataset_mode="unaligned", model="cycle_gan",
        max_dataset_size="inf", serial_batches=False, gpu_ids="0", suffix="", name="a: b",
    )  # fmt: skip
    assert dict(options.fields) == {
        "loss.gan_mode": "vanilla",
        "loss.cycle_x": 8.0,
        "loss.cycle_y": 12.5,
        "loss.identity": 0.1,
        "optimizer.learning_rate": 1e-4,
        "optimizer.beta_1": 0.4,
        "training.constant_epochs": 30,
        "training.decay_epochs": 70,
        "training.pool_size_images": 7,
        "data.preprocess": "scale_width_and_crop",
        "data.load_size_px": 300,
        "data.crop_size_px": 128,
        "data.batch_size": 2,
        "data.flip": False,
        "generator.dropout": True,
    }
    assert (options.is_b_to_a, options.notes) == (False, ())


def test_every_field_is_one_of_an_experiment(tmp_path):
    plain = Experiment().as_dict()
    for field, _ in training_options._PLAIN.values():
        section, name = field.split(".")
        assert name in plain[section]


def test_older_names_of_files_and_options(tmp_path):
    written(
        tmp_path, "opt.txt", niter=1, niter_decay=2, fineSize=64, loadSize=72, batchSize=3,
        which_direction="BtoA", resize_or_crop="crop", no_lsgan=True, identity=0.2,
        lr_policy="lambda",
    )  # fmt: skip
    options = training_options.read(tmp_path)
    assert dict(options.fields) == {
        "training.constant_epochs": 1,
        "training.decay_epochs": 2,
        "data.crop_size_px": 64,
        "data.load_size_px": 72,
        "data.batch_size": 3,
        "data.preprocess": "crop",
        "loss.gan_mode": "vanilla",
        "loss.identity": 0.2,
    }
    assert options.is_b_to_a


def test_in_a_training_from_b_to_a_the_weights_change_places(tmp_path):
    options = read(tmp_path, direction="BtoA", lambda_A=8.0, lambda_B=12.5)
    assert dict(options.fields) == {"loss.cycle_x": 12.5, "loss.cycle_y": 8.0}


@pytest.mark.parametrize(
    ("options", "fields", "note"),
    [
        (
            {"lr_policy": "step", "lr_decay_iters": 9},
            {"optimizer.schedule": "step", "optimizer.step_epochs": 9},
            "",
        ),
        (
            {"lr_policy": "cosine", "n_epochs": 40, "n_epochs_decay": 20},
            {
                "optimizer.schedule": "cosine",
                "training.constant_epochs": 0,
                "training.decay_epochs": 40,
            },
            "rises again",
        ),
        ({"lr_policy": "plateau"}, {}, "plateau"),
        (
            {"gan_mode": "wgangp"},
            {"loss.gan_mode": "wgangp", "loss.gradient_penalty": 0.0},
            "without its gradient penalty",
        ),
        (
            {"preprocess": "none"},
            {"data.preprocess": "none", "training.pool_size_images": 0},
            "different sizes",
        ),
        ({"serial_batches": True}, {}, "serial_batches True"),
        ({"max_dataset_size": 100}, {}, "max_dataset_size 100"),
        ({"dataset_mode": "aligned"}, {}, "dataset_mode aligned"),
    ],
)
def test_what_is_otherwise_here_is_said(tmp_path, options, fields, note):
    found = read(tmp_path, **options)
    assert dict(found.fields) == fields
    assert note in " ".join(found.notes)
    assert bool(found.notes) == bool(note)


@pytest.mark.parametrize(
    "options",
    [
        {"lambda_A": "ten"},
        {"gan_mode": "hinge"},
        {"no_flip": "maybe"},
        {"lr_policy": "exponential"},
    ],
)
def test_a_value_of_no_kind_is_refused(tmp_path, options):
    (name,) = options
    with refused("unreadable", tmp_path / "train_opt.txt", match=f"says {name}: "):
        read(tmp_path, **options)


def test_the_scale_of_the_training(tmp_path):
    assert read(tmp_path).training_scale == TrainingScale("area", 256)
    wide = read(tmp_path, preprocess="scale_width", load_size=400)
    assert wide.training_scale == TrainingScale("width", 400)
