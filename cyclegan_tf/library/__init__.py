"""The commands as functions: load a model, translate images, train, evaluate, export."""
