"""Deliberate faults: the histories that clients recorded, the final contents of the databases, and the checker of
both."""
