"""Deliberate faults: histories of what clients saw, the final contents of the databases, and the checker of both."""
