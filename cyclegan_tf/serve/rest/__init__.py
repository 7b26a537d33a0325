"""TF Serving's JSON: bodies read, answers written."""
