"""A small generator learns from a trained one, after the idea of OMGD (Ren et al. 2021)."""
