"""`OUT/html`: the page as one file, with its models and LiteRT.js inside, to be sent to anybody."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from cyclegan_tf.atomic import atomic_file
from cyclegan_tf.errors import UserError
from cyclegan_tf.export.javascript import bundle
from cyclegan_tf.export.litertjs import NOTICE, litertjs_files
from cyclegan_tf.export.outputs import MANIFEST, refuse_existing_file
from cyclegan_tf.export.web import (
    LICENSE,
    PAGE,
    PAGE_FILES,
    PageModel,
    check_models,
    manifest_of,
    model_entry,
)

MAX_BYTES = 200 * 10**6
"""Of one file: a browser holds its text, what is unpacked of it, and the running model at once."""
_POLICY = (
    "default-src 'none'; script-src 'sha256-{script}' blob: 'wasm-unsafe-eval'; "
    "style-src 'sha256-{style}'; img-src blob: data:; media-src blob:; connect-src blob:; "
    "worker-src blob:; base-uri 'none'; form-action 'none'"
)
# A large file takes a while to read before its program starts.
_MORE_STYLE = """
.late {
  animation-delay: 10s;
}

details pre {
  white-space: pre-wrap;
}
"""
_LICENSES = """    <details>
      <summary>Apache License 2.0</summary>
      <pre>{text}</pre>
    </details>
"""


def write_page_file(
    out: Path,
    title: str,
    models: Sequence[PageModel],
    litertjs_dir: Path | None = None,
    replace: bool = False,
) -> None:
    """Write the page as one HTML file, which needs no server and no network.

    It does what the folder of `write_page` does, by one thread: browsers give threads to pages of
    servers alone.

    Args:
      out: the file to be; its folder is made if need be.
      title: the page's heading.
      models: one per direction, the one offered first in front.
      litertjs_dir: see `write_page`.
      replace: put the new file in the place of an older one.

    Raises:
      UserError: there is such a file already, it would be larger than `MAX_BYTES`, a model cannot
        be shown in a browser, or LiteRT.js cannot be had.
    """
    check_models(models)
    refuse_existing_file(out, replace)
    runtime = {
        name: content
        for name, content in litertjs_files(litertjs_dir).items()
        if "_threaded" not in name
    }
    contents = [model.path.read_bytes() for model in models]
    entries = [model_entry(model, content) for model, content in zip(models, contents, strict=True)]
    manifest = json.dumps(manifest_of(title, entries, runtime), ensure_ascii=False)
    packed = {
        MANIFEST: manifest.encode(),
        "worker.js": (PAGE / "worker.js").read_bytes(),
        **_one_module(runtime),
        **{entry["file"]: content for entry, content in zip(entries, contents, strict=True)},
    }
    page = _page(packed).encode()
    if len(page) > MAX_BYTES:
        raise UserError(
            f"{out} would be {len(page) / 1e6:.0f} MB, and browsers are sure to open "
            f"{MAX_BYTES / 1e6:.0f} MB in one file; export one direction (--direction xy), or "
            "--format web, whose models lie beside the page.",
            code="memory",
            field=str(out),
        )
    with atomic_file(out) as partial:
        partial.write_bytes(page)


def _one_module(runtime: Mapping[str, bytes]) -> dict[str, bytes]:
    """LiteRT.js by its names on the page, its two modules as one."""
    modules = {name: content.decode() for name, content in runtime.items() if "/" not in name}
    whole = {name: content for name, content in runtime.items() if "/" in name}
    whole["index.js"] = bundle(modules, "index.js").encode()
    return {f"litert/{name}": content for name, content in whole.items()}


def _page(packed: Mapping[str, bytes]) -> str:
    """The page's HTML with its style, its program and all files inside."""
    modules = {
        name: (PAGE / name).read_text(encoding="utf-8")
        for name in PAGE_FILES
        if name.endswith(".js") and name != "worker.js"
    }
    script = f"\n{bundle(modules, 'app.js')}"
    style = f"\n{(PAGE / 'style.css').read_text(encoding='utf-8')}{_MORE_STYLE}"
    for text in (script, style):
        if re.search(r"<(/script|/style|!--)", text, re.IGNORECASE):
            raise ValueError("the page's own files hold what would end them inside of HTML")
    policy = _POLICY.format(script=_digest(script), style=_digest(style))
    licenses = f"{NOTICE}\n{(PAGE / LICENSE).read_text(encoding='utf-8')}"
    page = (PAGE / "index.html").read_text(encoding="utf-8")
    for pattern, new in (
        (r'(?<=-Policy" content=")[^"]*', policy),
        (r'<link rel="stylesheet"[^>]*>', f"<style>{style}</style>"),
        (r"<script [^>]*></script>", f'<script type="module">{script}</script>'),
        (r"<p>If its address begins.*?</p>\n\s*<p>If it comes from a server: a", "<p>A"),
        ('<a href="litert/LICENSE.txt">Apache License 2.0</a>', "Apache License 2.0"),
        (r"(?=  </footer>)", _LICENSES.format(text=html.escape(licenses, quote=False))),
        (r"(?=</body>)", "".join(_element(*each) for each in packed.items())),
    ):
        page = _replaced(page, pattern, new)
    return page


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _element(name: str, content: bytes) -> str:
    """A file as an element that is no program to the browser, see `page/files.js`."""
    text = base64.b64encode(gzip.compress(content, mtime=0)).decode()
    return f'<script type="text/plain" id="file:{html.escape(name)}">{text}</script>\n'


def _replaced(page: str, pattern: str, new: str) -> str:
    text, count = re.subn(pattern, lambda _: new, page, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"index.html has {count} places for {pattern}")
    return text
