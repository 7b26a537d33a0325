"""What the measured numbers say: tables, the numbers to reach, and the step over its floor."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from benchmarks.speed.jobs import REFERENCE

# Shown as images per second; the others as time.
THROUGHPUT = ("loader", "translated_folder")
STEP = "step-128-1"
# Case -> (its name, how many times faster than PyTorch's loader is wanted).
PIPELINES = {"pipeline-cache": ("cache", 10.0), "pipeline-files": ("cold JPEG", 1.5)}
Row = dict
Results = dict


def row_of(results: Results, case: str, contender: str) -> Row | None:
    """A contender's row with times, or None."""
    for row in results.get("cases", {}).get(case, {}).get("rows", ()):
        if row["contender"] == contender and "median" in row:
            return row
    return None


def fastest(results: Results, case: str, *precision_of_torch: str) -> Row | None:
    """The fastest eager PyTorch row of a precision, whichever the layout.

    Args:
      results: of a run.
      case: its name.
      *precision_of_torch: one or more precisions.
    """
    names = (
        f"torch-{precision}-{layout}"
        for precision in precision_of_torch
        for layout in ("nchw", "nhwc")
    )
    rows = [row for name in names if (row := row_of(results, case, name))]
    return min(rows, key=lambda row: row["median"], default=None)


def faster(a: Row | None, b: Row | None) -> float | None:
    """How many times faster a is than b.

    Through the reference, which both alternated with, where it is there.
    """
    if not a or not b:
        return None
    if "ratio" in a and "ratio" in b:
        return a["ratio"] / b["ratio"]
    return b["median"] / a["median"]


def over_floor(results: Results, case: str = STEP) -> dict | None:
    """Step time of our default precision over operations / matrix rate.

    None where something was not measured.
    """
    row = row_of(results, case, results.get("default", ""))
    flops = results.get("flops", {}).get(case)
    precision = results.get("default", "").rpartition("-")[2]
    rate = results.get("rates", {}).get("best", {}).get(precision)
    if not (row and flops and rate):
        return None
    floor_s = flops / (rate["gflops"] * 1e9)
    return {
        "precision": precision,
        "floor_s": floor_s,
        "step_s": row["median"],
        "ratio": row["median"] / floor_s,
    }


def targets(results: Results) -> list[dict]:
    """The numbers to reach: what, wanted, reached (None: not measured), met, against whom."""
    default = results.get("default", "")

    def ours(case: str, contender: str = default) -> Row | None:
        return row_of(results, case, contender)

    def torch(case: str, *precision: str) -> Row | None:
        return fastest(results, case, *precision)

    one, step = "translation of one 256-px image", "training step, 128 px batch 1"
    compiled = row_of(results, STEP, "torch-bfloat16-nhwc-compile")
    reference = {case: row_of(results, case, REFERENCE) for case in (STEP, *PIPELINES)}
    large, translation = "step-256-1", "translation-256"
    wanted = [
        (f"{step}, against PyTorch float32, its default", 4.0, ours(STEP), reference[STEP]),
        (f"{step}, against PyTorch bfloat16, eager", 1.6, ours(STEP), torch(STEP, "bfloat16")),
        (f"{step}, against PyTorch bfloat16, channels last, torch.compile", 1.25, ours(STEP),
         compiled),
        ("256 px batch 1, against PyTorch bfloat16, eager", 1.4, ours(large),
         torch(large, "bfloat16")),
        (f"{step}, float32 against PyTorch float32, its best layout", 1.15,
         ours(STEP, "ours-float32"), torch(STEP, "float32")),
        (f"{one}, against PyTorch float32", 2.6, ours(translation), torch(translation, "float32")),
        (f"{one}, against PyTorch bfloat16", 1.1, ours(translation),
         torch(translation, "bfloat16")),
        *((f"input pipeline from {name}", factor, ours(case), reference[case])
          for case, (name, factor) in PIPELINES.items()),
    ]  # fmt: skip
    lines = [_at_least(*line) for line in wanted]
    lines.insert(5, _at_most(f"{step}, over floor", 2.0, (over_floor(results) or {}).get("ratio")))
    for name, case in results.get("cases", {}).items():
        mine, other = ours(name), row_of(results, name, REFERENCE)
        if case["kind"] == "step" and mine and other:
            share = mine["peak_rss_bytes"] / other["peak_rss_bytes"]
            lines.append(_at_most(f"peak memory, {case['title']}", 1.0, share, REFERENCE))
    return lines


def _at_least(what: str, wanted: float, mine: Row | None, other: Row | None) -> dict:
    reached = faster(mine, other)
    return {
        "what": what,
        "wanted": f"at least {wanted:g}",
        "reached": reached,
        "met": None if reached is None else reached >= wanted,
        "against": other["contender"] if other else None,
    }


def _at_most(what: str, wanted: float, reached: float | None, against: str | None = None) -> dict:
    return {
        "what": what,
        "wanted": f"at most {wanted:g}",
        "reached": reached,
        "met": None if reached is None else reached <= wanted,
        "against": against,
    }


def markdown(results: Results) -> str:
    """The whole report."""
    blocks = [_heading(results), *_preliminaries(results)]
    for case in results.get("cases", {}).values():
        blocks += [
            f"### {case['title'][0].upper()}{case['title'][1:]}",
            _case_table(case, results.get("default", "")),
        ]
        if len(case["groups"]) > 1:
            together = "; ".join(", ".join(group) for group in case["groups"])
            blocks.append(
                f"Memory held these groups side by side, and only within one do contenders "
                f"alternate: {together}."
            )
    blocks += ["### Numbers to reach", _targets_table(targets(results))]
    found = over_floor(results)
    if found:
        blocks.append(
            f"Step over floor: {found['step_s']:.3f} s / {found['floor_s']:.3f} s = "
            f"{found['ratio']:.2f} ({found['precision']}, 128 px, batch 1)."
        )
    return "\n\n".join(blocks) + "\n"


def _heading(results: Results) -> str:
    machine = results["machine"]
    versions = ", ".join(
        f"{name} {version}" for name, version in machine["versions"].items() if version
    )
    flags = ", ".join(machine["flags"]) or "none of note"
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores ({flags}), {machine['memory_gib']:.0f} GiB; "
        f"{versions}; {machine['date']}."
    ]
    if results.get("quick"):
        lines.append(
            "**Tiny networks (--quick): this shows that the program works, not how fast anything "
            "is.**"
        )
    if results.get("interrupted"):
        lines.append(f"**Not complete: {results['interrupted']}.**")
    return "\n".join(lines)


def _preliminaries(results: Results) -> Iterable[str]:
    agreement = results.get("agreement")
    if agreement:
        counts = agreement["parameters"]
        peers = "; ".join(
            f"{name}: losses {agreement[name]['worst_loss_difference']:.1e}, weights after a step "
            f"{agreement[name]['worst_step_difference']:.1e} of the step"
            for name in ("torch nchw", "torch nhwc", "keras")
        )
        yield (
            f"The contenders agree (generator {counts['generator']:,} parameters, discriminator "
            f"{counts['discriminator']:,}). Largest differences from ours: {peers}."
        )
    best = results.get("rates", {}).get("best", {})
    if best:
        yield "Matrix rate: " + "; ".join(
            f"{dtype} {rate['gflops']:.0f} GFLOP/s ({rate['by']})" for dtype, rate in best.items()
        )


def _case_table(case: dict, default: str) -> str:
    throughput = case["kind"] in THROUGHPUT
    show: Callable[[float], str] = (
        (lambda s: f"{1 / s:.1f}") if throughput else (lambda s: f"{1000 * s:.0f}")
    )
    unit = "images/s" if throughput else f"ms per {case['unit']}"
    rows = []
    for row in case["rows"]:
        memory = f"{row['peak_rss_bytes'] / 2**30:.2f}" if row["peak_rss_bytes"] else ""
        first = f"{row['first_s']:.1f}" if row["first_s"] else ""
        name = row["contender"] + (" (default)" if row["contender"] == default else "")
        if "error" in row:
            rows.append([name, "", "", "", memory, first, row["error"]])
            continue
        spread = sorted((row["least"], row["most"]), reverse=throughput)
        notes = [f"n = {len(row['seconds'])}"]
        if "command_s" in row:
            notes.append(f"whole command {row['command_s']:.1f} s")
        if not row.get("alternated_with_reference", True):
            notes.append("not alternated with the reference")
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
        between = "–".join(show(seconds) for seconds in spread)
        rows.append([name, show(row["median"]), between, ratio, memory, first, ", ".join(notes)])
    header = [
        "contender", f"{unit}, median", "least–most", "times faster than the reference", "peak GiB",
        f"s from start to first {case['unit'] if case['kind'] != 'loader' else 'epoch'}", "",
    ]  # fmt: skip
    return table(header, rows)


def _targets_table(lines: list[dict]) -> str:
    words = {True: "reached", False: "not reached", None: "not measured"}
    rows = [
        [line["what"], line["wanted"], "" if line["reached"] is None else f"{line['reached']:.2f}",
        words[line["met"]],
         line["against"] or ""]
        for line in lines
    ]  # fmt: skip
    return table(["", "wanted", "measured", "", "against"], rows)


def table(header: list[str], rows: list[list[str]]) -> str:
    """Markdown whose columns also stand straight in a terminal."""
    cells = [header, *([cell.replace("|", "/") for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
