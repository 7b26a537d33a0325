"""What kind of file a PyTorch checkpoint is, and whether its bytes are those that were written.

PyTorch 1.6 and later write zip archives with a checksum per part, which its own reader does not
look at: a flipped bit becomes another weight. Files of before are pickles without any checksum.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from cyclegan_tf.errors import UserError
from cyclegan_tf.foreign.content import read_to_its_end, refuse_foreign_file

# Parts that a program of torch.jit.save has, and torch.save never writes.
_PROGRAM_PARTS = re.compile(r"[^/]+/(constants\.pkl|code/.+)")


def has_checksums(path: Path) -> bool:
    """Whether damage in the file would be noticed: an archive whose parts all have checksums.

    torch.save writes 0 where it was asked to compute none (torch.serialization.set_crc32_options).
    """
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return all(part.CRC or not part.file_size for part in archive.infolist())


def require_intact(path: Path) -> None:
    """Refuses damaged archives, TorchScript programs, and what is no content (see `foreign`).

    Files of other kinds pass: PyTorch's own reader decides about those.

    Args:
      path: of a file, or where one should be.

    Raises:
      UserError: names which of these it is, and what to do.
    """
    refuse_foreign_file(path)
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            _refuse_program(path, parts)
            for part in parts:
                if part.CRC:  # 0 was never computed
                    read_to_its_end(archive, part)
    except UserError:
        raise
    except Exception as error:  # zip's reader raises its own kinds and those of its decompressors
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> UserError:
    """The error for a file that cannot be read as PyTorch's."""
    return UserError(
        f"{path} is damaged or not a PyTorch checkpoint ({type(error).__name__}); fetch it "
        "again, or give the file that torch.save wrote.",
        code="unreadable",
        field=str(path),
    )


def _refuse_program(path: Path, parts: list[zipfile.ZipInfo]) -> None:
    if any(_PROGRAM_PARTS.fullmatch(part.filename) for part in parts):
        raise UserError(
            f"{path} is a TorchScript program, of which weights alone are wanted: where you trust "
            'it, torch.save(torch.jit.load(path).state_dict(), "weights.pth") writes them.',
            code="unsupported",
            field=str(path),
        )
