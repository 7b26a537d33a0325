"""What `train --init_from` names: a run, or `.keras` files of one or both translators; and what is
taken of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclegan_tf.convert.pytorch.folder import is_folder_of_networks
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.runs.run_directory import RunDirectory

if TYPE_CHECKING:
    import keras

_DIRECTIONS = ("xy", "yx")


@dataclass(frozen=True)
class InitFrom:
    """Where the weights of a training that begins come from.

    Attributes:
      run: a run directory, of which all networks are taken; None where files are named.
      checkpoint: of the run, "best", "last" or a step; None when not given, which is "best".
      files: direction -> `.keras` file of the translator that way; the other one and both judges
        start anew.
    """

    run: Path | None = None
    checkpoint: str | None = None
    files: Mapping[str, Path] | None = None

    @classmethod
    def of(cls, words: Sequence[str] | None, checkpoint: str | None) -> InitFrom | None:
        """From the options; None where --init_from was not given.

        Raises:
          UserError: they do not go together, or name what has to be converted first.
        """
        if not words:
            if checkpoint:
                raise UserError(
                    "--init_checkpoint is given without --init_from; name the run to take weights "
                    "from."
                )
            return None
        paths = [Path(word) for word in words]
        named = [path for path in paths if path.suffix == ".keras" and not path.is_dir()]
        if not named and len(paths) == 1:
            return cls(_source_run(paths[0]), checkpoint)
        if len(named) < len(paths) or len(paths) > 2:
            raise UserError(
                "--init_from takes one run directory, or one or two .keras files (of X to Y, and "
                f"of Y to X), but got {', '.join(map(str, paths))}."
            )
        if checkpoint:
            raise UserError(
                f"--init_checkpoint {checkpoint} is given, but {named[0]} is a file of one network."
            )
        return cls(files=dict(zip(_DIRECTIONS, named, strict=False)))

    def apply_architecture(self, base: dict[str, Any], run: RunDirectory) -> None:
        """Puts the networks into an experiment's dictionary.

        Args:
          base: changed in place.
          run: to be trained in; where it has begun, its own networks count.

        Raises:
          UserError: the run or a file cannot be read.
        """
        source = run if run.exists() else None if self.run is None else RunDirectory(self.run)
        if source is not None:
            values = source.experiment().as_dict()
            base["generator"], base["discriminator"] = values["generator"], values["discriminator"]
            channels = {name: values["data"][name] for name in ("channels_x", "channels_y")}
        else:
            files = self.files or {}
            named = {
                f"init_file_{direction}": str(path.absolute()) for direction, path in files.items()
            }
            # what a config file says of networks is for those that are built
            own = (
                {}
                if len(files) == len(_DIRECTIONS)
                else {**(base.get("generator") or {}), "color_skip": "off"}
            )
            base["generator"] = {**own, **named}
            channels = _channels(files)
        base["data"] = {**(base.get("data") or {}), **channels}

    def check_same(self, run: RunDirectory) -> None:
        """Refuses to go on with a run as if it had begun with other weights.

        Raises:
          UserError: it had.
        """
        recorded = run.init_record()
        if recorded is None:
            began = "without --init_from"
        elif "files" in recorded:
            if {way: one["digest"] for way, one in recorded["files"].items()} == _digests(
                self.files or {}
            ):
                return
            began = f"with the networks of {' and '.join(one['file'] for one in recorded['files'].values())}"
        elif self.run is None or self.run.resolve() != Path(recorded["path"]):
            began = f"with the weights of {recorded['run']}"
        elif self.checkpoint not in (None, recorded["checkpoint"]):
            began = f"with --init_checkpoint {recorded['checkpoint']}"
        else:
            return
        raise UserError(
            f"{run.path} began {began}: leave --init_from out to go on with it, or give another "
            f"--run_dir."
        )


def load_initial_weights(
    networks: Mapping[str, keras.Model], run: RunDirectory, origin: InitFrom | None
) -> dict[str, Any] | None:
    """Gives networks that nobody has trained yet the weights they shall start from; returns the
    record of it.

    A run that was stopped before its first checkpoint starts once more from what it recorded.
    Networks out of files have come with their weights.

    Args:
      networks: by their names in `state.NETWORKS`; changed in place.
      run: where they will be trained.
      origin: as asked.

    Raises:
      UserError: see `interop.initial.initialize`.
    """
    from cyclegan_tf.train.warm_start import initialize

    if checkpoints.list_checkpoints(run.checkpoints):
        return None
    if run.exists():
        recorded = run.init_record()
        if recorded is None or "files" in recorded:
            return recorded
        return initialize(networks, Path(recorded["path"]), recorded["checkpoint"])
    if origin is None:
        return None
    if origin.run is None:
        return _record_of_files(networks, origin.files or {})
    return initialize(networks, origin.run, origin.checkpoint or checkpoints.BEST)


def _record_of_files(
    networks: Mapping[str, keras.Model], files: Mapping[str, Path]
) -> dict[str, Any]:
    digests = _digests(files)
    told = [f"generator_{direction} of {path}" for direction, path in files.items()]
    anew = [name for name in networks if name.removeprefix("generator_") not in files]
    return {
        "files": {way: {"file": str(path), "digest": digests[way]} for way, path in files.items()},
        "told": [*told, *([f"{', '.join(anew)}: anew"] if anew else [])],
    }


def _source_run(path: Path) -> Path:
    if is_folder_of_networks(path) and not RunDirectory(path).exists():
        raise UserError(
            f"--init_from {path} is a folder of PyTorch checkpoints; make a run directory of it "
            f"first: python -m cyclegan_tf.convert {shlex.quote(str(path))} RUN"
        )
    if path.is_file():
        raise UserError(
            f"--init_from {path} is neither a run directory nor a .keras file; make one of it "
            f"first: python -m cyclegan_tf.convert {shlex.quote(str(path))} "
            f"{shlex.quote(path.stem + '.keras')}"
        )
    return path


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
