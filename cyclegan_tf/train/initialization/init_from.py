"""What `train --init_from` names, a run or `.keras` files, and what is taken from it."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclegan_tf.convert.pytorch.folder import is_folder_of_networks, is_folder_of_one_generator
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError
from cyclegan_tf.foreign.content import require_keras_archive
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.runs.run_directory import RunDirectory

if TYPE_CHECKING:
    import keras

_DIRECTIONS = ("xy", "yx")
# The networks know objects of one size only.
_SCALE = ("load_size_px", "crop_size_px", "preprocess")


@dataclass(frozen=True)
class InitFrom:
    """Where a new training takes its first weights from.

    Attributes:
      run: a run directory, of which all networks are taken; None where files are named.
      checkpoint: of the run, "best", "last" or a step; None when not given, which is "best".
      files: direction -> `.keras` file of that generator; the other generator and both
        discriminators start anew.

    Example:
      >>> InitFrom.from_options(["runs/horse2zebra"], checkpoint="last")
      InitFrom(run=PosixPath('runs/horse2zebra'), checkpoint='last', files=None)
    """

    run: Path | None = None
    checkpoint: str | None = None
    files: Mapping[str, Path] | None = None

    @classmethod
    def from_options(cls, names: Sequence[str] | None, checkpoint: str | None) -> InitFrom | None:
        """From --init_from and --init_checkpoint; None where neither was given.

        Raises:
          UserError: they do not go together, or name what has to be converted first.
        """
        if not names:
            if checkpoint:
                raise UserError(
                    "--init_checkpoint is given without --init_from; name the run to take weights "
                    "from.",
                    code="missing",
                    field="--init_from",
                )
            return None
        paths = [Path(name) for name in names]
        files = [path for path in paths if path.suffix == ".keras" and not path.is_dir()]
        if not files and len(paths) == 1:
            return cls(_source_run(paths[0], checkpoint), checkpoint)
        if len(files) < len(paths) or len(paths) > 2:
            raise UserError(
                "--init_from takes one run directory, or one or two .keras files (of X to Y, and "
                f"of Y to X), but got {', '.join(map(str, paths))}.",
                field="--init_from",
            )
        if checkpoint:
            raise UserError(
                f"--init_checkpoint {checkpoint} is given, but {files[0]} is a file of one "
                "network.",
                code="mismatch",
                field="--init_checkpoint",
            )
        for file in files:
            require_keras_archive(file)
        return cls(files=dict(zip(_DIRECTIONS, files, strict=False)))

    def apply_architecture(
        self, values: Mapping[str, Mapping[str, Any] | None], run: RunDirectory
    ) -> dict[str, Any]:
        """Puts the networks into an experiment's dictionary, and a run's scale where it has none.

        Args:
          values: section -> field -> value; stays as it is.
          run: to be trained in; where it has begun, its own networks count.

        Returns:
          A new dictionary.

        Raises:
          UserError: the run or a file cannot be read.
        """
        source = run if run.exists() else None if self.run is None else RunDirectory(self.run)
        data = values.get("data") or {}
        if source is not None:
            taken = source.experiment().as_dict()
            channels = {name: taken["data"][name] for name in ("channels_x", "channels_y")}
            scale = {name: taken["data"][name] for name in _SCALE}
            networks = {name: taken[name] for name in ("generator", "discriminator")}
            return {**values, **networks, "data": {**scale, **data, **channels}}
        files = self.files or {}
        named = {
            f"init_file_{direction}": str(path.absolute()) for direction, path in files.items()
        }
        # what a config file says of networks is for those that are built
        own = (
            {}
            if len(files) == len(_DIRECTIONS)
            else {**(values.get("generator") or {}), "color_skip": "off"}
        )
        return {**values, "generator": {**own, **named}, "data": {**data, **_channels(files)}}

    def check_resumable(self, run: RunDirectory) -> None:
        """Refuses to resume a run as if it had begun with other weights.

        Raises:
          UserError: it had.
        """
        recorded = run.init_record()
        if recorded is None:
            began = "without --init_from"
        elif "files" in recorded:
            digests = {way: one["digest"] for way, one in recorded["files"].items()}
            if digests == _digests(self.files or {}):
                return
            files = " and ".join(one["file"] for one in recorded["files"].values())
            began = f"with the networks of {files}"
        elif self.run is None or self.run.resolve() != Path(recorded["path"]):
            began = f"with the weights of {recorded['run']}"
        elif self.checkpoint not in (None, recorded["checkpoint"]):
            began = f"with --init_checkpoint {recorded['checkpoint']}"
        else:
            return
        raise UserError(
            f"{run.path} began {began}: leave --init_from out to go on with it, or give another "
            f"--run_dir.",
            code="mismatch",
            field="--init_from",
        )


def weights_source(run: RunDirectory, init: InitFrom | None) -> tuple[RunDirectory, str] | None:
    """Finds the run and checkpoint that hold the weights a training starts from.

    A run that was stopped before its first checkpoint starts once more from what it recorded.

    Args:
      run: to be trained in.
      init: as asked; None for random weights.

    Returns:
      None where the weights are random, or come with files.
    """
    if checkpoints.list_checkpoints(run.checkpoints):
        return run, checkpoints.LAST
    if run.exists():
        recorded = run.init_record() or {}
        if "path" not in recorded:
            return None
        return RunDirectory(Path(recorded["path"])), recorded["checkpoint"]
    if init is None or init.run is None:
        return None
    return RunDirectory(init.run), init.checkpoint or checkpoints.BEST


def load_initial_weights(
    networks: Mapping[str, keras.Model], run: RunDirectory, init: InitFrom | None
) -> dict[str, Any] | None:
    """Gives networks the weights of another run that they start from; see `weights_source`.

    Networks out of files have come with their weights.

    Args:
      networks: by their names in `state.NETWORKS`; changed in place.
      run: where they will be trained.
      init: as asked; None for random weights.

    Returns:
      A record ready for JSON, with "messages" for the log; None for random weights, or where the
      run has a checkpoint.

    Raises:
      UserError: see `warm_start.initialize`.
    """
    from cyclegan_tf.train.initialization.warm_start import initialize

    source = weights_source(run, init)
    if source is not None:
        return None if source[0] == run else initialize(networks, source[0].path, source[1])
    if run.exists():
        return run.init_record()
    return None if init is None else _record_of_files(networks, init.files or {})


def _record_of_files(
    networks: Mapping[str, keras.Model], files: Mapping[str, Path]
) -> dict[str, Any]:
    digests = _digests(files)
    messages = [f"generator_{direction} of {path}" for direction, path in files.items()]
    new = [name for name in networks if name.removeprefix("generator_") not in files]
    return {
        "files": {way: {"file": str(path), "digest": digests[way]} for way, path in files.items()},
        "messages": [*messages, *([f"{', '.join(new)}: anew"] if new else [])],
    }


def _source_run(path: Path, checkpoint: str | None) -> Path:
    if is_folder_of_networks(path) and not RunDirectory(path).exists():
        raise UserError(
            f"--init_from {path} is a folder of PyTorch checkpoints; make a run directory of it "
            f"first: python -m cyclegan_tf.convert {shlex.quote(str(path))} RUN",
            code="unsupported",
            field="--init_from",
        )
    if path.is_file() or is_folder_of_one_generator(path):
        raise UserError(
            f"--init_from {path} is neither a run directory nor a .keras file; make one of it "
            f"first: python -m cyclegan_tf.convert {shlex.quote(str(path))} "
            f"{shlex.quote(path.stem + '.keras')}",
            code="unsupported",
            field="--init_from",
        )
    run = RunDirectory(path)
    if run.exists() and checkpoint not in (None, checkpoints.BEST, checkpoints.LAST):
        with asked_as_init():
            checkpoints.require_step(run.checkpoints, str(checkpoint))
    return path


@contextlib.contextmanager
def asked_as_init() -> Iterator[None]:
    """Names the option by which a checkpoint is asked for here, in errors of `checkpoints`."""
    try:
        yield
    except UserError as error:
        message = str(error).replace("--checkpoint", "--init_checkpoint")
        raise UserError(message, code=error.code, field="--init_checkpoint") from error


def _digests(files: Mapping[str, Path]) -> dict[str, str]:
    from cyclegan_tf.networks.files import digest

    return {direction: digest(path) for direction, path in files.items()}


def _channels(files: Mapping[str, Path]) -> dict[str, int]:
    with suppress_startup_logs():
        from cyclegan_tf.networks import files as network_files
    channels: dict[str, int] = {}
    for direction, path in files.items():
        facts = network_files.facts(path.absolute())
        channels |= {
            f"channels_{direction[0]}": facts.input_channels,
            f"channels_{direction[1]}": facts.output_channels,
        }
    return channels
