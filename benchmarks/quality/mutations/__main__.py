"""Damages valid files in random ways and hands each to the reader that a command has for it.

    python -m benchmarks.quality.mutations --out runs/mutations [--files 1000]
        [--kinds checkpoint,image,model,run] [--seed 0]

Damages are flipped bits, extreme numbers, zeros, cuts, bytes inserted, deleted, doubled or swapped,
another encoding, another file's content, and values of descriptions that are dropped or of another
type, these also within archives whose checksums are then right again. Each file is

- refused: by one sentence, as the command prints it, and the exit status for it;
- unchanged: read with the result of the undamaged file (nobody reads these bytes), or, of
  checkpoints, with that of the one before it;
- changed by right: the damage made another valid file. That is so in formats without checksums
  (JPEG, GIF, BMP, PPM, TIFF, WebP, JPEG 2000, AVIF, TGA, NPY, HDF5, pickles before PyTorch 1.6,
  `.tflite`, JSON, YAML and options typed by people) and for damage whose checksums were computed
  anew;
- wrong in silence: read with another result in spite of a checksum (PNG, `.npz`, `.keras`, `.pth`,
  config.yaml, exports with a card, TensorFlow's checkpoints), or after a cut of any format whose
  end shows;
- a traceback: anything but a `UserError`; a crash; over memory: 1 GiB more than before; over time:
  more than 10 s of computing.

Exit status: 0 where all files are of the first three kinds, 1 otherwise.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import machine
from benchmarks.quality.mutations import trial

KINDS = {
    "checkpoint": "checkpoint_samples",
    "image": "image_samples",
    "model": "model_samples",
    "run": "run_samples",
}


def table(tallies: dict[str, trial.Tally]) -> str:
    """The figures as a table in Markdown."""
    lines = [f"| kind | files | {' | '.join(trial.OUTCOMES)} |", "|---" * 10 + "|"]
    for kind, tally in tallies.items():
        counts = [tally.total(outcome) for outcome in trial.OUTCOMES]
        lines.append(f"| {kind} | {sum(counts)} | {' | '.join(map(str, counts))} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Tries all files, prints what came of it, writes the JSON file; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/mutations"))
    parser.add_argument("--files", type=int, default=1000, help="of each kind")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow  # noqa: F401  (once for all that are forked)

    tallies = {}
    for kind in given.kinds.split(","):
        module = importlib.import_module(f"benchmarks.quality.mutations.{KINDS[kind]}")
        folder = (given.out / kind).absolute()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        tallies[kind] = tally = trial.run(kind, module.prepare, folder, given.files, given.seed)
        print(f"{kind}: at most {tally.longest_seconds:.1f} s and "
              f"{tally.most_bytes / 2**20:.0f} MiB for one file")  # fmt: skip
    results = {
        "machine": machine.describe(),
        "seed": given.seed,
        "kinds": {kind: {"counts": tally.counts, "faults": tally.faults}
                  for kind, tally in tallies.items()},
    }  # fmt: skip
    (given.out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    print(table(tallies))
    return 1 if any(tally.faults for tally in tallies.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
