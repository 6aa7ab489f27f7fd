"""Reads the arguments of bench/compare. As a program, this module only reports errors in them."""

import argparse
import pathlib

import output

IN_FLIGHT_MAX = 256  # the services' limits must allow 16 times this number
SHORTEST_S = 0.5


def read_arguments():
    parser = argparse.ArgumentParser(prog="bench/compare")
    parser.add_argument("--caller", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--sweep", action="store_const", dest="kind", const="sweep", default="compare")
    parser.add_argument("--profile", action="store_const", dest="kind", const="profile")
    parser.add_argument("--output", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds: at least 1")
    if not arguments.seconds >= SHORTEST_S:
        parser.error("--seconds: at least %g" % SHORTEST_S)
    if not 1 <= arguments.in_flight <= IN_FLIGHT_MAX:
        parser.error("--in-flight: 1 to %d" % IN_FLIGHT_MAX)
    arguments.output = output.folder(arguments.output, arguments.caller, "compare")
    return arguments


if __name__ == "__main__":
    read_arguments()
