"""Measures the number of instructions that a booking takes, and compares it with the recorded number."""
