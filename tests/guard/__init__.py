"""The number of instructions that a booking takes."""
