"""Faults on purpose: histories of what clients saw, what the databases say in the end, and the checker of both."""
