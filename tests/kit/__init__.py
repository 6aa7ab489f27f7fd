"""What the tests share: a client of the wire protocol of its own, and the real binaries to speak to."""
