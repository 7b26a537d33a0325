"""The frame and the looks of the report; light or dark as the reader's system is, from 320 px
on."""

from string import Template

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
:root {
  --ground: #fff; --ink: #1b1f24; --quiet: #57606a; --line: #d0d7de; --soft: #f3f5f7; --bar:
  #4a7fb5; --good: #1a7f37; --bad: #b42318; --link: #0b5cad;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171a; --ink: #e6e9ec; --quiet: #9aa4ae; --line: #363d44; --soft: #1d2226; --bar:
    #6a9fd6; --good: #4cc46a; --bad: #ff8a7a; --link: #7ab4f0;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1rem; max-width: 76rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word;
}
h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0 1rem; }
h1 span { display: block; font-size: 1rem; font-weight: normal; color: var(--quiet); overflow-wrap:
anywhere; } h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; padding-top: .75rem; border-top: 1px
solid var(--line); } h3 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
h3 small, th small, td small { color: var(--quiet); font-weight: normal; }
th small, td small { display: block; font-size: .8rem; }
a { color: var(--link); }
nav a { margin-right: 1.25rem; }
.origin { color: var(--quiet); overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .25rem 1rem; margin:
.5rem 0; } dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
details { margin: .75rem 0; }
summary { cursor: pointer; color: var(--link); }
.notes { background: var(--soft); border-left: 4px solid var(--bar); margin: 1rem 0; padding: .6rem
1rem .6rem 2rem; } .wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--quiet); padding-bottom: .4rem; caption-side: top; }
th, td { padding: .35rem .7rem; text-align: right; border-bottom: 1px solid var(--line);
vertical-align: top; } th { font-weight: 600; }
th:first-child { text-align: left; padding-left: 0; }
td { white-space: nowrap; }
.beaten { color: var(--good); }
.not-beaten { color: var(--bad); }
.group { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr));
gap: 1rem; } figure { margin: 0; min-width: 0; }
.row { display: grid; grid-template-columns: repeat(var(--columns), 1fr); gap: 4px; }
.row img { display: block; width: 100%; height: auto; background: var(--soft); }
.row .small { image-rendering: pixelated; }
.row span, figcaption { font-size: .85rem; color: var(--quiet); }
figcaption b { color: var(--ink); overflow-wrap: anywhere; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr));
gap: 1rem; } .histogram { width: 100%; height: auto; display: block; background: var(--soft); }
.histogram text { font-size: 13px; fill: var(--quiet); }
.histogram .bar { fill: var(--bar); }
.histogram line { stroke: var(--ink); stroke-width: 1.5; }
.histogram .axis { stroke: var(--line); }
.histogram .marked { stroke-dasharray: 4 3; stroke: var(--bad); }
@media (max-width: 40rem) {
  body { padding: .75rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .4rem; }
  table { font-size: .8rem; }
  thead { font-size: .75rem; }
  th, td { padding: .35rem .2rem; }
  td:last-child, th:last-child { padding-right: 0; }
  td { white-space: normal; }
  th small, td small { font-size: .72rem; }
  td .beaten, td .not-beaten { display: block; }
}
@media print { .group, .charts { break-inside: avoid; } }
</style>
</head>
<body>
<main>
$body
</main>
</body>
</html>
""")
