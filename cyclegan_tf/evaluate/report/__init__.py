"""The results of an evaluation as a table and as one HTML file."""
