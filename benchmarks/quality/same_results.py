"""Check that a rewrite moved no result: run two revisions side by side and compare bit for bit.

    python -m benchmarks.quality.same_results --base f0b353a
    python -m benchmarks.quality.same_results --base f0b353a --revision f0b353a

The revisions are the base and, unless --revision names another, the working tree. Each trains the
demo in float32 at a fixed seed, resumes the base's run, translates, exports and evaluates it, in a
process with one thread for each operation. Compared are:

- every array of the last checkpoints, the state beside them, metrics.jsonl and the sample images;
- translated images: by the own run, by the base's run, by its .keras file and in tiles;
- .tflite files: their outputs for one image, and the figures of parity.json;
- evaluation.json.

Times, sizes of files and paths are left out; keys that were renamed are compared with their old
values. The table ends with the exit status: 0 when all is the same, else 1. About four minutes on
two free cores; --steps and --parts make it shorter.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.quality.compare_results import (
    VARIANTS,
    Row,
    compare_arrays,
    compare_files,
    compare_metrics,
    compare_tflite,
    compare_values,
)
from cyclegan_tf import cli
from cyclegan_tf.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = Path(__file__).with_name("revision_commands.py")
PARTS = ("train", "resume", "translate", "export", "evaluate")
TRANSLATED = 10
SEED = "5"
NETWORKS = (
    "--generator.filters 8 --generator.blocks 3 --discriminator.filters 8 "
    "--training.precision float32 --training.jit off --training.max_minutes null"
).split()
SCENES = (
    "--data.source demo --data.load_size_px 72 --data.crop_size_px 64 "
    "--generator.architecture resnet_6blocks"
).split()
# The paper's recipe, as the demo trained by it once: each revision has a demo.yaml of its own.
DEMO = (
    "--generator.upsampling resize --training.ema 50 --logging.score_every_epochs 1 "
    "--logging.log_every_steps 5 --logging.sample_every_steps 20"
).split()
MODERN = "--config modern --logging.log_every_steps 1".split()
TILES = ("--tile", "32", "--overlap", "8")


@dataclass(frozen=True)
class Revision:
    """A tree of the repository and the folder that its commands write to.

    Example:
      >>> base = Revision("f0b353a", Path("trees/base"), Path("out/base"))
      >>> base.run([("translate", ["runs/demo", "in", "out"])])
    """

    name: str
    tree: Path
    out: Path

    def as_they_are(self) -> list[str]:
        """The option that shows images to the network in their own size; once there was none."""
        knows = (self.tree / "cyclegan_tf/translate/sizing.py").is_file()
        return ["--size", "full"] if knows else []

    def run(self, commands: Sequence[tuple[str, Sequence[str]]]) -> None:
        """Run commands of this revision in one process.

        Raises:
          UserError: one failed.
        """
        log = self.out / "log"
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.tree),
            "CUDA_VISIBLE_DEVICES": "-1",
            "TF_NUM_INTRAOP_THREADS": "1",
            "TF_NUM_INTEROP_THREADS": "1",
        }
        words = [sys.executable, str(COMMANDS), str(self.tree), json.dumps(commands)]
        with log.open("ab") as file:
            status = subprocess.run(
                words, cwd=self.tree, env=environment, stdout=file, stderr=file
            ).returncode
        if status:
            last = "\n".join(log.read_text(encoding="utf-8").splitlines()[-15:])
            raise UserError(f"a command of {self.name} failed:\n{last}", code="stopped")


# What is run.


def trained(out: Path, steps: int) -> list[tuple[str, list[str]]]:
    """Two trainings: the demo's recipe with moving averages, and the modern one for a few steps."""
    common = [*NETWORKS, "--training.seed", SEED]
    length = ["--training.max_steps", str(steps), "--training.checkpoint_every_steps"]
    demo = ["--run_dir", str(out / "demo"), *SCENES, *DEMO, *common, *length, str(steps // 2)]
    modern = [
        "--run_dir",
        str(out / "modern"),
        *MODERN,
        *SCENES,
        *common,
        "--training.max_steps",
        "5",
    ]
    return [("train", demo), ("train", modern)]


def resumed(out: Path, run: Path, steps: int) -> list[tuple[str, list[str]]]:
    """A copy of a run, without its last checkpoint, trained to its end once more."""
    copy = out / "resumed"
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns(f"step_{steps:09d}.npz"))
    return [("train", ["--run_dir", str(copy)])]


def translated(
    out: Path, run: Path, images: Path, options: Sequence[str] = ()
) -> list[tuple[str, list[str]]]:
    """Both directions, from a run and from a file, whole and in tiles."""
    given, always = str(images), ["--quiet", *options]
    file = str(run / "generator_xy.keras")
    own = str(out / "demo")
    return [
        ("translate", [str(run), given, str(out / "base_xy"), *always]),
        ("translate", [str(run), given, str(out / "base_yx"), "--direction", "yx", *always]),
        ("translate", [own, given, str(out / "own_xy"), "--checkpoint", "last", *always]),
        ("translate", [file, given, str(out / "file_xy"), *always]),
        ("translate", [str(run), given, str(out / "tiles_xy"), *TILES, *always]),
    ]


def exported(out: Path, run: Path, images: Path) -> list[tuple[str, list[str]]]:
    """All variants of the .tflite file of one direction."""
    words = [str(run), str(out / "export"), "--format", "litert", "--direction", "xy"]
    return [("export", [*words, "--variants", *VARIANTS, "--pictures", str(images), "--quiet"])]


def evaluated(out: Path, run: Path) -> list[tuple[str, list[str]]]:
    """The scores of a run."""
    to = ["--json", str(out / "evaluation.json"), "--html", str(out / "evaluation.html")]
    return [("evaluate", [str(run), *to, "--quiet"])]


# What is compared.


def compare(part: str, base: Path, other: Path, steps: int, image: np.ndarray) -> Iterator[Row]:
    """The rows of one part.

    Args:
      part: of `PARTS`.
      base: what the base wrote.
      other: what the other revision wrote.
      steps: of the first training.
      image: float32 (1, H, W, C) for .tflite files.
    """
    if part == "train":
        for run, last in (("demo", steps), ("modern", 5)):
            yield from _compare_runs(run, base / run, other / run, last)
        yield compare_files("demo: samples", base / "demo/samples", other / "demo/samples")
    elif part == "resume":
        yield from _compare_runs("resumed", base / "resumed", other / "resumed", steps)
    elif part == "translate":
        for name in ("own_xy", "base_xy", "base_yx", "file_xy", "tiles_xy"):
            yield compare_files(f"translate: {name}", base / name, other / name)
    elif part == "export":
        yield from compare_tflite(base / "export", other / "export", image)
        reports = (next(p.rglob("parity.json")) for p in (base / "export", other / "export"))
        yield compare_values("parity.json", *(json.loads(path.read_bytes()) for path in reports))
    else:
        found = (json.loads((p / "evaluation.json").read_bytes()) for p in (base, other))
        yield compare_values("evaluation.json", *found)


def _compare_runs(what: str, base: Path, other: Path, step: int) -> Iterator[Row]:
    name = f"checkpoints/step_{step:09d}.npz"
    yield from compare_arrays(what, base / name, other / name)
    yield compare_metrics(f"{what}: metrics.jsonl", base / "metrics.jsonl", other / "metrics.jsonl")


# The program.


def extract(revision: str, folder: Path) -> Path:
    """Write a revision's files to a folder.

    Raises:
      UserError: there is no such revision.
    """
    command = ["git", "archive", "--format=tar", revision]
    done = subprocess.run(command, cwd=ROOT, capture_output=True)
    if done.returncode:
        reason = done.stderr.decode().strip()
        raise UserError(f"git has no revision {revision}: {reason}", code="unknown")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def draw_images(folder: Path) -> None:
    """Write smooth images of several sizes and kinds, always the same."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(TRANSLATED):
        small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
        size = (64 + 13 * index, 64 + 7 * index)
        kind = "jpg" if index % 3 == 2 else "png"
        small.resize(size, Image.Resampling.BICUBIC).save(folder / f"{index}.{kind}")


def run_all(revision: Revision, base: Revision, parts: Sequence[str], steps: int) -> None:
    """Run the commands of all parts in a revision.

    Args:
      revision: whose commands.
      base: whose run is resumed, translated, exported and evaluated.
      parts: of `PARTS`; the training always runs.
      steps: of the first training.
    """
    revision.out.mkdir(parents=True)
    revision.run(trained(revision.out, steps))
    run, images = base.out / "demo", base.out.parent / "images"
    commands: dict[str, Callable[[], list[tuple[str, list[str]]]]] = {
        "resume": lambda: resumed(revision.out, run, steps),
        "translate": lambda: translated(revision.out, run, images, revision.as_they_are()),
        "export": lambda: exported(revision.out, run, images),
        "evaluate": lambda: evaluated(revision.out, run),
    }
    revision.run([job for part, made in commands.items() if part in parts for job in made()])


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", required=True, metavar="REVISION", help="of git")
    parser.add_argument("--revision", help="of git (default: the working tree)")
    parser.add_argument("--steps", type=int, default=40, help="of the training (%(default)s)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="for what is written")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run both revisions, print the table; return 1 where anything differs."""
    given = parse(argv)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.keep or Path(temporary)).resolve()
        draw_images(folder / "images")
        base = Revision(given.base, extract(given.base, folder / "base_tree"), folder / "base")
        tree = extract(given.revision, folder / "other_tree") if given.revision else ROOT
        other = Revision(given.revision or "the working tree", tree, folder / "other")
        for revision in (base, other):
            print(f"running {revision.name}", flush=True)
            run_all(revision, base, given.parts, given.steps)
        image = np.random.default_rng(1).uniform(-1, 1, (1, 64, 64, 3)).astype(np.float32)
        rows = [
            row
            for part in given.parts
            for row in compare(part, base.out, other.out, given.steps, image)
        ]
    width = max(len(row.what) for row in rows)
    for row in rows:
        print(f"{row.what:<{width}}  {'same     ' if row.same else 'DIFFERENT'}  {row.detail}")
    different = sum(not row.same for row in rows)
    print(f"{other.name} against {base.name}: {different} of {len(rows)} differ")
    return int(different > 0)


if __name__ == "__main__":
    cli.run(main, sys.argv[1:])
