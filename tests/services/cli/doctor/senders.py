"""Programs for the inside of a namespace: a sender of heartbeats, a process on a port."""

HEARTBEATS = """
import socket, struct, sys, time
group, port, interface, ttl, shift_us, source = sys.argv[1:7]
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((source, 0))
sock.setsockopt(0, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
sock.setsockopt(0, socket.IP_MULTICAST_TTL, int(ttl))
session = time.time_ns()
print("begun", flush=True)
while True:
    for channel in range(5):
        now_us = time.time_ns() // 1000 + int(shift_us)
        head = struct.pack("<IQqBBH", 0x48465450, 1, now_us, channel, 2, 0)
        sock.sendto(head + struct.pack("<QQq", session, 1, now_us), (group, int(port)))
    time.sleep(0.05)
"""

FLOOD = """
import socket, sys, time
group, port, interface, rate = sys.argv[1:5]
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(0, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
print("begun", flush=True)
while True:
    for _ in range(int(rate) // 100):
        sock.sendto(b"PTFH" + b"\\0" * 1400, (group, int(port)))
    time.sleep(0.01)
"""

LISTENER = """
import socket, sys, time
address, port, reuse, group, interface = sys.argv[1:6]
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(reuse))
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
sock.bind((address, int(port)))
if group:
    sock.setsockopt(0, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton(interface))
print("begun", flush=True)
time.sleep(600)
"""


def heartbeats(group: str = "239.192.0.1", port: int = 9001, interface: str = "127.0.0.1", ttl: int = 1,
               shift_us: int = 0, source: str = "0.0.0.0") -> tuple[str, ...]:  # fmt: skip
    return (HEARTBEATS, group, str(port), interface, str(ttl), str(shift_us), source)


def flood(group: str, port: int, interface: str, rate: int) -> tuple[str, ...]:
    return (FLOOD, group, str(port), interface, str(rate))


def listener(address: str, port: int = 9001, *, reuse: bool, group: str = "", interface: str = "",
             named: str = "") -> tuple[str, ...]:  # fmt: skip
    return (LISTENER, address, str(port), str(int(reuse)), group, interface, named)
