"""The tools that the tests share: an independent client of the wire protocol, and the real binaries to call."""
