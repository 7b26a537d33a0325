"""Fixtures of the library's tests."""

from tests.export.conftest import tiny_export

__all__ = ["tiny_export"]
