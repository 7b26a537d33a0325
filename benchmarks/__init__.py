"""Programs that measure: speed against other frameworks, quality of recipes, what is deployed.

They run from the repository's root, such as `python -m benchmarks.speed.bench`; `make bench` runs
those of speed. Programs whose question is answered are in the history (see docs/results.md).
"""
