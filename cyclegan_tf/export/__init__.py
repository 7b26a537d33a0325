"""From a trained generator to files that run without this package, and the proof that they give the
same images."""
