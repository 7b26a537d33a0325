"""HTTP: addresses, bodies, connections, the page."""
