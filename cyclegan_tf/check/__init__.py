"""Looks through a data set and says what would harm a training."""
