"""JavaScript modules joined into one, for pages that nobody serves.

A browser imports no module from a folder. The page's modules are written plainly (imports first, by
a relative name; exports where a name is declared, or in one list at the end), and this is all that
is understood here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w.-]+)";\n', re.MULTILINE)
_DECLARED = re.compile(r"^export (?=(?:(?:async )?function|class|const|let) (\w+))", re.MULTILINE)
_LISTED = re.compile(r"^export \{([^}]*)\};?\n?", re.MULTILINE)
_LEFT = re.compile(r"^(import|export)\b.*", re.MULTILINE)


def bundle(modules: Mapping[str, str], entry: str) -> str:
    """Join a module and all that it imports.

    Each imported module becomes a constant with its exports, so that their own names do not meet.

    Args:
      modules: by name, as imports name them after "./"; without circles.
      entry: the module to run; what it exports stays exported.

    Returns:
      One module that imports nothing.

    Raises:
      ValueError: a module imports or exports in a way that is not understood.

    Example:
      >>> modules = {path.name: path.read_text() for path in Path("page").glob("*.js")}
      >>> script = bundle(modules, "app.js")
    """
    joined: dict[str, str] = {}
    constants: dict[str, str] = {}

    def add(name: str) -> None:
        if name in joined:
            return
        text = modules[name]
        for _, imported in _IMPORT.findall(text):
            add(imported)
        constants[name] = f"module{len(constants)}"
        body = _IMPORT.sub(lambda found: _taken(found[1], constants[found[2]]), text)
        joined[name] = body if name == entry else _as_constant(name, body, constants[name])

    add(entry)
    return "\n".join(joined.values())


def _taken(names: str, constant: str) -> str:
    return f"const {{{names.replace(' as ', ': ')}}} = {constant};\n"


def _as_constant(name: str, body: str, constant: str) -> str:
    exported = _DECLARED.findall(body)
    for names in _LISTED.findall(body):
        for each in filter(None, (part.strip() for part in names.split(","))):
            inner, _, outer = each.partition(" as ")
            exported.append(f"{outer}: {inner}" if outer else inner)
    body = _LISTED.sub("", _DECLARED.sub("", body))
    if left := _LEFT.search(body):
        raise ValueError(f"{name}: {left[0]!r} is not understood")
    return (
        f"const {constant} = (() => {{ // {name}\n{body}return {{ {', '.join(exported)} }};\n}})();"
    )
