"""The frame of the report."""

import re

from cyclegan_tf.evaluate.report.template import PAGE


def test_what_is_put_in_stands_where_it_belongs_and_is_not_looked_into():
    text = PAGE.substitute(title="a $body title", body="<h1>100 $</h1>")
    assert "<title>a $body title</title>" in text
    assert "<main>\n<h1>100 $</h1>\n</main>" in text


def test_every_color_of_the_page_has_a_dark_partner():
    text = PAGE.template
    light, dark = (
        set(re.findall(r"(--\w+): #", block))
        for block in text.split("prefers-color-scheme: dark")[:2]
    )
    assert light == dark
    assert set(re.findall(r"var\((--\w+)\)", text)) - {"--columns"} == light
