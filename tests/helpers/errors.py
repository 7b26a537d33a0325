"""What a mistake is, by type, code and field; its wording in the one test that is about it."""

import contextlib

import pytest

from cyclegan_tf.errors import UserError


@contextlib.contextmanager
def refused(code, field=None, *, match=None, kind=UserError):
    """Within it a `UserError` of this code, and of this field if one is named, is raised.

    Args:
      code: see `cyclegan_tf.errors.Code`; a list where a table of mistakes has several.
      field: the option, config key or file as text; None does not look.
      match: for the one test of a message's wording.
      kind: a subclass that it must be.
    """
    with pytest.raises(kind, match=match) as caught:
        yield caught
    assert caught.value.code in ([code] if isinstance(code, str) else code)
    if field is not None:
        assert caught.value.field == str(field)
