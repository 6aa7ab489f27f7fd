"""Provides the tools that the tests share: an independent client of the wire protocol, and the real programs."""
