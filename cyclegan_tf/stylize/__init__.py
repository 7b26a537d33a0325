"""Neural style transfer: the content of one image in the style of others (Gatys et al. 2016)."""
