"""Requests that come again: whoever did not hear the answer may ask once more, and what was asked happens once."""

from control.repeats.door import Kept, Once, Repeats

__all__ = ["Kept", "Once", "Repeats"]
