"""Translates an image over TF Serving's REST API, with Python's own library only.

    python client_rest.py INPUT OUTPUT.png --model horse2zebra_xy
        [--url http://127.0.0.1:8501] [--version 1]

INPUT is a JPEG or PNG of any size; OUTPUT is a PNG of the same size.
"""

import argparse
import base64
import contextlib
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path


def translate(image: bytes, url: str, model: str, version: int | None, timeout_s: float) -> bytes:
    """Translate the bytes of a JPEG or PNG to the bytes of a PNG.

    Args:
      image: the file's bytes.
      url: of the server, as "http://127.0.0.1:8501".
      model: the model's name.
      version: its number; None for the newest.
      timeout_s: how long to wait for the answer.

    Raises:
      RuntimeError: the server did not translate it, or did not answer.
    """
    which = f"/versions/{version}" if version is not None else ""
    address = f"{url.rstrip('/')}/v1/models/{urllib.parse.quote(model, safe='')}{which}:predict"
    body = {
        "signature_name": "image_bytes",
        "instances": [{"b64": base64.b64encode(image).decode("ascii")}],
    }
    request = urllib.request.Request(
        address,
        json.dumps(body).encode("ascii"),
        {"Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        text = error.read().decode("utf-8", "replace")
        with contextlib.suppress(ValueError, KeyError, TypeError):
            text = json.loads(text)["error"]
        raise RuntimeError(f"HTTP {error.code}: {text}") from error
    except OSError as error:
        raise RuntimeError(f"{address}: {error}") from error
    return base64.b64decode(answer["predictions"][0]["b64"])


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--url", default="http://127.0.0.1:8501")
    parser.add_argument("--version", type=int, help="the newest by default")
    parser.add_argument("--timeout_s", type=float, default=60.0)
    arguments = parser.parse_args()
    try:
        image = arguments.input.read_bytes()
        png = translate(
            image, arguments.url, arguments.model, arguments.version, arguments.timeout_s
        )
    except (OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    arguments.output.write_bytes(png)
    print(arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
