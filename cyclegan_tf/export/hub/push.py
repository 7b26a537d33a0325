"""What the Hugging Face Hub wants named, and the upload of a folder to it (extra `hub`)."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

from cyclegan_tf.errors import UserError, not_installed

UNKNOWN_LICENSE = "unknown"
"""The Hub's identifier where nobody has named a license: a card invents none."""
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


def check_license(license_id: str) -> None:
    """Check that a license looks like an identifier of the Hub, such as "mit".

    Raises:
      UserError: it does not.
    """
    if not _LICENSE.fullmatch(license_id):
        raise UserError(
            f"--license is {license_id!r}; give an identifier as the Hub lists them "
            "(https://hf.co/docs/hub/repositories-licenses), such as mit, apache-2.0 or "
            "cc-by-nc-4.0.",
            code="invalid",
            field="--license",
        )


def require_hub(name: str) -> Any:
    """Check what can be checked before an upload.

    Args:
      name: of the repository, OWNER/NAME.

    Returns:
      The package huggingface_hub.

    Raises:
      UserError: the name is none, or the package is not installed.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"--push is {name!r}; give OWNER/NAME, as in --push me/horse2zebra.",
            code="invalid",
            field="--push",
        )
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise UserError(
            f"--push: {not_installed('huggingface_hub')}.", code="dependency", field="--push"
        ) from error


def push(folder: Path, name: str) -> str:
    """Upload a folder as one commit; a repository that is not there is made, private.

    Args:
      folder: of `write_hub`.
      name: of the repository, OWNER/NAME.

    Returns:
      Its address.

    Raises:
      UserError: nobody is logged in, the Hub refuses, or it does not answer.
    """
    api = require_hub(name).HfApi()
    try:
        address = str(api.create_repo(name, private=True, exist_ok=True))
        api.upload_folder(
            repo_id=name, folder_path=str(folder), commit_message="Export of cyclegan_tf"
        )
    except Exception as error:  # of the package, of the network, of the Hub: of any type
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"{folder} is written, and could not be uploaded to {name} ({reason}); log in with "
            "`hf auth login`, or set HF_TOKEN, and try again.",
            code="stopped",
            field="--push",
        ) from error
    return address
