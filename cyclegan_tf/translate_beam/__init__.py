"""Translates millions of images with an exported SavedModel and Apache Beam."""
