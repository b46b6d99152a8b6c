"""Delivery: how finished extracts reach those who may have them."""
