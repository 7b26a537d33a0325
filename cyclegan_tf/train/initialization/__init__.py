"""Where the first weights come from: another run, files, or the data."""
