"""Images larger than memory, in tiles that share the statistics of the whole image."""
