"""What a file or a run is: networks, training state, provenance; nothing in a file is ever run."""
