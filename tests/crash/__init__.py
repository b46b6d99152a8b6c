"""Killing the mirror's writer at random points, and looking at what is left."""
