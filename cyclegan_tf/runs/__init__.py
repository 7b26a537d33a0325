"""Run directories: what they hold, checkpoints, metrics, trained generators."""
