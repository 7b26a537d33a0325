"""The served models and versions: watched folders, switches that drop no request."""

from __future__ import annotations

import gc
import itertools
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from cyclegan_tf.errors import UserError
from cyclegan_tf.serve.models import versions
from cyclegan_tf.serve.models.folders import find_models, find_versions
from cyclegan_tf.serve.models.limits import NOT_FOUND, RequestError
from cyclegan_tf.serve.models.versions import ModelVersion

LATEST, ALL = "latest", "all"
LOADING, AVAILABLE, UNLOADING, END = "LOADING", "AVAILABLE", "UNLOADING", "END"

_STOP_SECONDS = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class VersionStatus:
    """The state of a version, in TF Serving's terms.

    Attributes:
      version: its number.
      state: LOADING, AVAILABLE, UNLOADING or END.
      error_code: "OK", or "UNKNOWN" for a version that could not be loaded.
      error_message: why it could not.

    Example:
      >>> status = VersionStatus(3, END, "UNKNOWN", "saved_model.pb is damaged")
      >>> status.state, status.error_code
    """

    version: int
    state: str
    error_code: str = "OK"
    error_message: str = ""


def _without_paths(reason: str, path: Path) -> str:
    """A reason that tells clients the model and version, not where they lie."""
    for folder in (path, path.resolve()):
        reason = reason.replace(str(folder), f"{path.parent.name}/{path.name}")
        reason = reason.replace(f"{folder.parent}/", "")
    return reason


@dataclass
class _Model:
    loaded: dict[int, ModelVersion] = field(default_factory=dict)
    retiring: dict[int, ModelVersion] = field(default_factory=dict)
    statuses: dict[int, VersionStatus] = field(default_factory=dict)
    # Number -> fingerprint of what could not be loaded.
    failed: dict[int, tuple] = field(default_factory=dict)


class ModelStore:
    """The served versions; all methods may be called from any thread.

    Example:
      >>> store = ModelStore(Path("out"), keep="latest", poll_seconds=5.0)
      >>> store.start()
      >>> version = store.lease("horse2zebra_xy")
    """

    def __init__(
        self,
        out: Path,
        keep: str = LATEST,
        poll_seconds: float = 5.0,
        on_load: Callable[[ModelVersion], None] | None = None,
        trust: bool = False,
    ) -> None:
        """Find the models; nothing is loaded yet.

        Args:
          out: see `folders.find_models`.
          keep: "latest" serves each model's newest version that can be loaded, "all" every one.
          poll_seconds: between two looks at the folders.
          on_load: called with each version that has been loaded.
          trust: see `versions.load_version`.

        Raises:
          UserError: there is nothing to serve.
        """
        self._out, self._keep, self._poll_seconds = out, keep, poll_seconds
        self._trust = trust
        self._on_load = on_load or (lambda _: None)
        self._models = {name: _Model() for name in find_models(out)}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._ready, self._has_looked = False, False
        self._missing: str | None = None
        # A daemon: a version that is being loaded must not hold up the end of the program.
        self._thread = threading.Thread(target=self._watch, name="model watcher", daemon=True)

    def start(self) -> None:
        """Load in the background, and watch the folders from then on."""
        self._thread.start()

    def stop(self) -> bool:
        """End watching; return False if a version is still being loaded (it is not waited for)."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)
        return not self._thread.is_alive()

    @property
    def ready(self) -> bool:
        """Whether each model has been loaded once; new models do not change it back."""
        return self._ready and not self._stopping

    @property
    def loading(self) -> bool:
        """Whether some models have not been tried yet: the first look at the folders goes on."""
        return not self._has_looked

    def names(self) -> list[str]:
        """All models, loaded or not."""
        with self._lock:
            return sorted(self._models)

    def newest(self) -> list[ModelVersion]:
        """The version of each model that a request without a number gets."""
        with self._lock:
            return [
                model.loaded[max(model.loaded)]
                for _, model in sorted(self._models.items())
                if model.loaded
            ]

    def statuses(self, name: str, number: int | None = None) -> list[VersionStatus]:
        """The states of a model's versions, or of one of them.

        Raises:
          RequestError: 404, unknown.
        """
        with self._lock:
            found = list(self._models[name].statuses.values()) if name in self._models else []
        if number is not None:
            found = [status for status in found if status.version == number]
        if not found and (number is not None or name not in self.names()):
            which = "any versions" if number is None else f"version {number}"
            raise RequestError(NOT_FOUND, f"Could not find {which} of model {name[:100]}")
        return found

    def get(self, name: str, number: int | None = None) -> ModelVersion:
        """A loaded version, the newest by default.

        Raises:
          RequestError: 404, it is not loaded.
        """
        with self._lock:
            return self._get(name, number)

    def lease(self, name: str, number: int | None = None) -> ModelVersion:
        """The same, kept loaded until it is given to `give_back`.

        Raises:
          RequestError: 404, it is not loaded.
        """
        with self._lock:
            version = self._get(name, number)
            version.leases += 1
            return version

    def give_back(self, version: ModelVersion) -> None:
        """End a lease."""
        with self._lock:
            version.leases -= 1
            last = version.leases == 0 and version.number in self._models[version.model].retiring
        if last:
            self._wake.set()

    def _get(self, name: str, number: int | None) -> ModelVersion:
        loaded = self._models[name].loaded if name in self._models else {}
        wanted = max(loaded, default=None) if number is None else number
        if wanted is None or wanted not in loaded:
            which = (
                f"Latest({name[:100]})" if number is None else f"Specific({name[:100]}, {number})"
            )
            raise RequestError(NOT_FOUND, f"Servable not found for request: {which}")
        return loaded[wanted]

    def _watch(self) -> None:
        while not self._stopping:
            try:
                self.poll()
            except Exception:  # watching goes on whatever a look at the folders met
                _log.exception(
                    "looking for new versions failed; trying again in %g s", self._poll_seconds
                )
                self._has_looked = True
            self._wake.wait(self._poll_seconds)
            self._wake.clear()

    def poll(self) -> None:
        """Look at the folders once: load and switch to new versions, unload old ones."""
        try:
            folders = find_models(self._out)
            self._missing = None
        except UserError as error:
            folders = {}
            if self._missing != str(error):
                _log.warning("%s What is loaded stays.", error)
            self._missing = str(error)
        for name, folder in folders.items():
            with self._lock:
                model = self._models.setdefault(name, _Model())
            self._poll_model(name, model, find_versions(folder))
        for name, model in list(self._models.items()):
            self._unload(name, model)
        self._ready = self._ready or all(model.loaded for model in self._models.values())
        self._has_looked = True

    def _poll_model(self, name: str, model: _Model, on_disk: dict[int, Path]) -> None:
        newest_first = sorted(on_disk, reverse=True)
        loading = (
            number for number in newest_first if self._ensure(name, model, number, on_disk[number])
        )
        wanted = set(loading if self._keep == ALL else itertools.islice(loading, 1))
        with self._lock:
            model.statuses = {
                number: status
                for number, status in model.statuses.items()
                if status.state != END or number in on_disk
            }
            for number in [*model.loaded] if wanted else ():
                if number not in wanted:
                    model.retiring[number] = model.loaded.pop(number)
                    model.statuses[number] = VersionStatus(number, UNLOADING)

    def _ensure(self, name: str, model: _Model, number: int, path: Path) -> bool:
        """Load a version if need be; return whether it is loaded.

        What failed is tried again when its files change.
        """
        if number in model.loaded:
            return True
        if self._stopping or number in model.retiring:
            return False
        seen = versions.fingerprint(path)
        if model.failed.get(number) == seen:
            return False
        self._set_status(model, VersionStatus(number, LOADING))
        _log.info("%s version %d: loading", name, number)
        try:
            version = versions.load_version(name, number, path, self._trust)
        except Exception as error:  # a broken model makes TensorFlow raise many kinds
            reason = " ".join(str(error).split())[:500] or type(error).__name__
            model.failed[number] = seen
            shown = _without_paths(reason, path)
            self._set_status(model, VersionStatus(number, END, "UNKNOWN", shown))
            _log.error("%s version %d cannot be served: %s", name, number, reason)
            return False
        model.failed.pop(number, None)
        self._on_load(version)
        with self._lock:
            model.loaded[number] = version
            model.statuses[number] = VersionStatus(number, AVAILABLE)
        checkpoint = version.card.get("checkpoint")
        made = f", made of {checkpoint}" if checkpoint else ""
        _log.info("%s version %d: ready after %.1f s%s", name, number, version.load_seconds, made)
        return True

    def _unload(self, name: str, model: _Model) -> None:
        with self._lock:
            done = [number for number, version in model.retiring.items() if version.leases == 0]
            for number in done:
                del model.retiring[number]
                model.statuses[number] = replace(model.statuses[number], state=END)
        for number in done:
            _log.info("%s version %d: unloaded", name, number)
        if done:
            gc.collect()  # TensorFlow's loaded objects refer to each other

    def _set_status(self, model: _Model, status: VersionStatus) -> None:
        with self._lock:
            model.statuses[status.version] = status
