"""Checks that the examples of docs/http-api.md work as shown, on the hospitals that ./demo --serve imports."""
import os
import re
import subprocess

from kit.marks import once
from kit.screenctl import done
from kit.stack import DEADLINE_S, Stack

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def blocks():
    """Returns the code blocks that are for a shell. They begin by setting DAY."""
    with open(os.path.join(ROOT, "docs/http-api.md"), encoding="utf-8") as file:
        return [block for block in re.findall(r"^```\n(.*?)^```$", file.read(), re.M | re.S) if block.startswith("DAY=")]


@once
def test_the_examples_of_http_api_md_work_as_printed(driver):
    with Stack(driver, gateway=True) as stack:
        token = stack.keyring.token("admin")
        token_file = stack.folder + "/token"
        with open(os.open(token_file, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(token)
        done(stack, "--token-file", token_file, "--hospital", stack.address("hospital.clients"),
             "hospital", "import", os.path.join(ROOT, "data/hospitals.csv"))
        found = blocks()
        assert len(found) == 2, found
        for block in found:
            script = block.replace("localhost:8080", stack.gateway_svc.http)
            ran = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, timeout=DEADLINE_S, check=False,
                                 env={**os.environ, "TOKEN": token})
            codes = [int(code) for code in re.findall(r"HTTP/1.1 (\d+)", ran.stdout)]
            assert ran.returncode == 0 and codes and all(code in (200, 201) for code in codes), ran
            assert len(codes) == len(re.findall(r"^curl ", block, re.M)), ran
