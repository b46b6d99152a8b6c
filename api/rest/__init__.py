"""REST: the routes under /v1, and the documents that describe them."""
