"""Injects faults into running services, records the answers that clients receive, and checks the answers and the final
databases."""
