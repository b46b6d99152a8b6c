"""Interfaces that clients know from elsewhere: their paths, namespaces, operations and element names."""
