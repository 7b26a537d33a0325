"""The image of a request to /translate: its body, or the one file of a form."""

from __future__ import annotations

from email.message import Message

from cyclegan_tf.serve.models.limits import BAD_REQUEST, RequestError

FORM = "multipart/form-data"
_MAX_PARTS = 16
_MAX_HEAD_BYTES = 4096
_HOW = "send the image itself as the body, or as the one file of a form"


def image_in(content_type: str, body: bytes) -> bytes:
    """Find the image of a request.

    Args:
      content_type: of the request; of anything but a form, the body is the image.
      body: as sent.

    Returns:
      The file's bytes, unchecked.

    Raises:
      RequestError: 400 for an empty body, or a form that is damaged or does not hold just one file.
    """
    kind = _header("content-type", content_type)
    if kind.get_content_type() != FORM:
        if not body:
            raise RequestError(BAD_REQUEST, f"the body is empty; {_HOW}")
        return body
    boundary = kind.get_boundary("")
    if not boundary:
        raise RequestError(BAD_REQUEST, "the form has no boundary in its Content-Type")
    files = [content for head, content in _parts(body, boundary.encode()) if _is_file(head)]
    if len(files) != 1:
        raise RequestError(BAD_REQUEST, f"the form holds {len(files)} files, not one; {_HOW}")
    return files[0]


def _header(name: str, value: str) -> Message:
    message = Message()
    message[name] = value.replace("\r", " ").replace("\n", " ")
    return message


def _parts(body: bytes, boundary: bytes) -> list[tuple[str, bytes]]:
    """The head and the content of each part (RFC 7578)."""
    # As if all boundaries followed a line, which the first need not.
    first, *pieces = (b"\r\n" + body).split(b"\r\n--" + boundary, _MAX_PARTS + 1)
    if first or not pieces or not pieces[-1].startswith(b"--"):
        reason = f"has more than {_MAX_PARTS} parts" if len(pieces) > _MAX_PARTS else "was cut off"
        raise RequestError(BAD_REQUEST, f"the form {reason}; {_HOW}")
    parts = []
    for piece in pieces[:-1]:
        head, gap, content = piece.partition(b"\r\n\r\n")
        if not gap or len(head) > _MAX_HEAD_BYTES:
            raise RequestError(BAD_REQUEST, f"a part of the form has no whole head; {_HOW}")
        parts.append((head.decode("utf-8", "replace"), content))
    return parts


def _is_file(head: str) -> bool:
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            return _header(name.strip(), value.strip()).get_filename() is not None
    return False
