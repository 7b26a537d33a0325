"""Damaged files, by the thousand, handed to the commands' own readers; see `__main__`."""
