"""Modules joined into one: run by node, as they run apart."""

import subprocess

import pytest

from cyclegan_tf.export.javascript import bundle
from tests.browser import hosting

MODULES = {
    "entry.js": 'import { twice } from "./deep.js";\n'
    'import { Box, shared as common } from "./box.js";\n'
    "const own = 3;\nconsole.log(twice(own), new Box().size, common);\n",
    "deep.js": 'import { shared } from "./box.js";\nconst own = 2;\n'
    "export async function later() {}\nexport function twice(value) {\n"
    "  return own * value + shared;\n}\n",
    "box.js": "const own = 7;\nclass Box {\n  size = own;\n}\nconst hidden = 100;\n"
    "export {\n  Box,\n  hidden as shared\n};\n",
}


def test_it_runs_as_the_modules_do(tmp_path):
    hosting.need("node")
    path = tmp_path / "joined.mjs"
    path.write_text(bundle(MODULES, "entry.js"))
    done = subprocess.run(["node", path], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["106", "7", "100"]


def test_what_the_entry_exports_stays_exported():
    assert "export { a };" in bundle({"a.js": "const a = 1;\nexport { a };\n"}, "a.js")


@pytest.mark.parametrize("line", ["export default 3;\n", 'import all from "./c.js";\n'])
def test_other_ways_are_refused(line):
    modules = {"a.js": 'import { b } from "./b.js";\n', "b.js": line}
    with pytest.raises(ValueError, match=r"b\.js: .* is not understood"):
        bundle(modules, "a.js")
