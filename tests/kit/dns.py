"""A DNS server of one's own."""
import socket
import struct
import threading

NO_SUCH_NAME, FOUND = 0x8183, 0x8180


class Names:
    """A DNS server at `address`, with which every name has the IPv4 addresses in `addresses`. While there are none, it knows no name.
    `asked` is the number of questions."""

    def __init__(self, addresses=()):
        self.addresses, self.asked = list(addresses), 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        while True:
            query, client = self.socket.recvfrom(4096)
            if not query:
                return
            end = query.index(b"\0", 12) + 5
            known = self.addresses
            self.asked += 1
            found = known if query[end - 4:end - 2] == b"\0\1" else []
            answers = [b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 4) + socket.inet_aton(address) for address in found]
            counts = struct.pack(">HHHHH", FOUND if known else NO_SUCH_NAME, 1, len(answers), 0, 0)
            self.socket.sendto(query[:2] + counts + query[12:end] + b"".join(answers), client)

    def close(self):
        self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()
