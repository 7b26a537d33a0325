"""Trained generators as files that run without this package, compared with the original."""
