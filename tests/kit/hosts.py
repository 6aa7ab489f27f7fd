"""Gives a service an /etc/hosts of its own, in a mount namespace of its own."""
import os
import subprocess

from .marks import Skipped


class Hosts:
    """A file that one service sees as /etc/hosts. It defines one host, which has no address at first."""

    def __init__(self, stack, service, host):
        self.path, self.host = os.path.join(stack.folder, "hosts"), host
        self.write()
        mount = ["unshare", "-m" if os.geteuid() == 0 else "-rm", "sh", "-c",
                 'mount --bind "$0" /etc/hosts && exec "$@"', self.path]
        if subprocess.run(mount + ["true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            raise Skipped("unshare -m and mount --bind are not permitted here")
        service.prefix = mount

    def write(self, *numbers):
        """Makes the host resolve to these addresses. Writes to the same file, because only this file is mounted."""
        with open(self.path, "w", encoding="ascii") as file:
            file.write("".join("%s %s\n" % (number, self.host) for number in numbers))
