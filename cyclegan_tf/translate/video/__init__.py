"""Videos: what a file holds, its frames without flicker, and the file that comes out."""
