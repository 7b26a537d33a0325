"""Translates volumes slice by slice, along one axis or three."""
