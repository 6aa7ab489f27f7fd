"""How many instructions a booking takes."""
