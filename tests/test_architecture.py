"""The house's rules: imports run one way, every module has its test, one place knows 127.5."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "cyclegan_tf"
TESTS = Path(__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in PACKAGE.rglob("*.py")
    if path.name != "__init__.py"
}

# From the ground up: a module may import those of lower floors and of its own list below.
# fmt: off
FLOORS = [
    ["rules", "replicas"],
    ["optimizers", "errors", "network_config"],
    [
        "config", "losses", "schedules", "layers", "convolutions", "gradients", "pool",
        "colors",
        "hardware", "data.scenes", "metrics.images", "metrics.swd", "metrics.distributions",
        "metrics.spectrum",
        "averaging", "guards", "freezing", "cluster", "cluster_ground", "tiling",
        "inspection.graph", "inspection.text",
        "exporting.kinds", "exporting.exif", "exporting.metadata",
        "exporting.litert_runtime", "serving.metrics", "evaluation.wording", "evaluation.page",
        "evaluation.charts",
    ],
    [
        "levels", "parts", "checkpoints", "runs", "cli", "data.demo", "model", "exporting.placing",
        "distribution",
        "exporting.phone", "video_reading", "shared_statistics",
        "serving.limits", "metrics.labels", "metrics.inception", "evaluation.scores",
        "evaluation.features", "interop.torch_files", "interop.torch_layout", "interop.addons",
        "inspection.networks",
    ],
    [
        "budget", "headers", "state", "stages", "evaluation.result", "exporting.litert",
        "exporting.web",
        "serving.versions", "serving.protocol", "networks", "interop.torch_recognise",
        "interop.legacy_layers",
    ],
    [
        "serving.models", "serving.page", "interop.initial", "interop.saving",
        "interop.run_of_networks",
        "interop.torch_networks", "interop.legacy_graph",
    ],
    ["serving.engine", "interop.legacy_weights"],
    [
        "serving.app", "serving.grpc_service", "serving.process", "interop.legacy_saved_model",
        "interop.tutorials",
    ],
    ["tiff", "interop.legacy", "network_files"],
    ["codecs", "inspection.models", "origin"],
    ["grids"],
    ["images"],
    [
        "findings", "evaluation.labeled", "data.sources", "data.preparation", "translation",
        "image_rows",
        "exporting.parity",
    ],
    ["doctor", "evaluation.judge", "evaluation.protocol", "data.store", "folder_translation",
    "frames", "beam_steps"],
    [
        "data.pipeline", "data.suspects", "callbacks", "video", "large_translation",
        "evaluation.table",
        "evaluation.report",
    ],
    ["evaluation.split"],
    ["assembly", "scoring"],
    ["observing", "workers", "beginning"],
    ["training", "exporting.source", "evaluation.opening"],
    ["exporting.card", "inspection.training_run"],
    ["exporting.saved_model", "exporting.litert_files", "inspection.exports"],
    ["exporting.onnx", "inspection.anything"],
    ["exporting.orders"],
    ["train", "translate", "translate_beam", "check", "export", "serve", "evaluate", "convert",
    "inspect"],
]
# fmt: on


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.split(".")[0] == "cyclegan_tf"
        ):
            inner = node.module.removeprefix("cyclegan_tf").lstrip(".")
            for alias in node.names:
                full = f"{inner}.{alias.name}".lstrip(".")
                yield full if full in MODULES else inner
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("cyclegan_tf."):
                    yield alias.name.removeprefix("cyclegan_tf.")


def test_every_module_has_a_floor():
    assert sorted(name for floor in FLOORS for name in floor) == sorted(MODULES)


def test_imports_run_downward_only():
    floor_of = {name: height for height, floor in enumerate(FLOORS) for name in floor}
    wrong = [
        f"{name} imports {other}"
        for name, path in MODULES.items()
        for other in imports(path)
        if floor_of[other] >= floor_of[name]
    ]
    assert wrong == []


def test_building_blocks_never_see_the_config():
    knowing = {name for name, path in MODULES.items() if "config" in set(imports(path))}
    assert knowing <= {
        "runs", "cli", "assembly", "beginning", "budget", "workers", "training", "train", "convert",
        "inspection.training_run",
    }  # fmt: skip


def test_every_module_has_a_test_file():
    wanted = {
        f"test_{name.replace('.', '_')}.py" for name in MODULES if name != "errors"
    }  # two empty classes
    assert wanted - {path.name for path in TESTS.glob("test_*.py")} == set()


def test_only_the_images_modules_know_how_levels_become_numbers():
    knowing = {name for name, path in MODULES.items() if "127.5" in path.read_text()}
    assert len(knowing) == 1, knowing


def test_files_stay_small():
    long = {
        name: n for name, path in MODULES.items() if (n := len(path.read_text().splitlines())) > 350
    }
    assert long == {}
