"""`python -m cyclegan_tf.doctor`: what this machine offers a training, and whether it is used.

Exit status 0: fine; 1: trainings would be slow; 2: they would fail or be wrong.
"""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from cyclegan_tf import cli
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.doctor import findings
from cyclegan_tf.errors import UserError

DEFAULT_SECONDS = 30.0
_COMMON = ("--seconds", "--json")
_WIDTH, _LABEL = 100, 12


def build_parser() -> cli.Parser:
    """The command's options."""
    parser = cli.Parser(
        command="doctor",
        most_used=_COMMON,
        example="--seconds 60",
        description="Says which processor, GPU, driver and libraries are here, which precision and "
        "compiler a training would take and why, and tries a few steps of a small training on "
        "each device: whether it gives the processor's numbers, and how fast.",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=DEFAULT_SECONDS,
        help="About how long the steps may take; 0 makes none.",
    )
    parser.add_argument("--json", action="store_true", help="Print a JSON object in place of text.")
    return parser


def main(argv: Sequence[str]) -> int:
    """Prints the report; returns the exit status."""
    arguments = build_parser().parse(argv)
    if not 0 <= arguments.seconds <= 3600:
        raise UserError(
            f"--seconds is {arguments.seconds:g}, but must be in [0, 3600].", field="--seconds"
        )
    say = (lambda _: None) if arguments.json else _print_lines
    report = _facts()
    say(_lines_of_facts(report))
    if arguments.seconds:
        from cyclegan_tf.doctor import step_test

        report["steps"] = step_test.run(arguments.seconds, lambda row: say([_line_of_step(row)]))
    found = findings.look(report)
    report["findings"] = [dataclasses.asdict(finding) for finding in found]
    report["status"] = findings.status(found)
    if arguments.json:
        print(json.dumps(report, indent=1), flush=True)
    say(_lines_of_findings(found, report["status"]))
    return report["status"]


def _facts() -> dict[str, Any]:
    """All but the steps."""
    # What TensorFlow writes while it looks for GPUs is shown where there is an NVIDIA device.
    with suppress_startup_logs():
        from cyclegan_tf.devices import hardware
        from cyclegan_tf.doctor import machine

        arithmetic = hardware.choose_arithmetic("auto", "auto")
        return {
            "versions": machine.packages(),
            "processor": machine.processor(),
            "gpus": {
                "seen": machine.gpus_of_tensorflow(),
                "driver_knows": machine.gpus_of_the_driver(),
                "device_file": machine.has_nvidia_device(),
            },
            "cuda": machine.cuda(),
            "chosen": arithmetic.descriptions,
            "steps": [],
        }


def _print_lines(lines: Sequence[str]) -> None:
    print("\n".join(lines), flush=True)


def _labeled(label: str, text: str) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=label.ljust(_LABEL),
        subsequent_indent=" " * _LABEL,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _lines_of_facts(report: Mapping[str, Any]) -> list[str]:
    cpu, gpus, cuda = report["processor"], report["gpus"], report["cuda"]
    versions = [f"{name} {version}" for name, version in report["versions"].items() if version]
    memory = "unknown" if cpu["memory_gib"] is None else f"{cpu['memory_gib']:g} GiB"
    features = ", ".join(cpu["features"]) or "no AVX2"
    lines = [
        _labeled("versions", ", ".join(versions)),
        _labeled("processor", f"{cpu['name']}, {cpu['cores']} cores ({features}), memory {memory}"),
    ]
    for known in gpus["driver_knows"]:
        text = f"{known['name']}, {known['memory_gib']} GiB, driver {known['driver']}"
        lines.append(_labeled("GPU", text))
    for seen in gpus["seen"]:
        text = f"TensorFlow sees {seen['name']}, compute capability {seen['compute_capability']}"
        lines.append(_labeled("GPU", text))
    if not gpus["seen"]:
        lines.append(_labeled("GPU", "TensorFlow sees none"))
    built = cuda["built_for"] or "the processor only"
    installed = ", ".join(f"{name} {number}" for name, number in cuda["installed"].items())
    lines.append(_labeled("CUDA", f"TensorFlow is built for {built}; here: {installed or 'none'}"))
    return [*lines, *(_labeled(name, text) for name, text in report["chosen"].items())]


def _line_of_step(row: Mapping[str, Any]) -> str:
    name = f"{row['device']} {row['precision']}, XLA {'on' if row['jit'] else 'off'}: "
    if row.get("error"):
        return _labeled("step", f"{name}failed: {row['error']}")
    text = f"{name}{1e3 * row['step_s']:.1f} ms, the first {row['first_s']:.1f} s"
    if row["apart"] is not None:
        text += f"; losses within {row['apart']:.1g} of the processor's in float32"
    return _labeled("step", text)


def _lines_of_findings(found: Sequence[findings.Finding], status: int) -> list[str]:
    conclusion = (
        "Ready to train.",
        "Trainings run, but slower than they could; see the warnings.",
        "Trainings would fail or be wrong here; see the errors.",
    )
    return [*("\n" + _labeled(f"{f.level}:", f.text) for f in found), "", conclusion[status]]
