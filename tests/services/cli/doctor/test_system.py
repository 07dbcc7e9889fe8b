"""Reading the machine's files."""

import os
import socket

from services.cli.doctor.system import System, UdpSocket, allowed_cpus

UDP = """sl local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode ref pointer drops
  123: 0100C0EF:2329 00000000:0000 07 00000000:00001200 00:00000000 00000000     0        0 4711 2 0000000000000000 42
"""
NETSTAT = "TcpExt: SyncookiesSent IPReversePathFilter\nTcpExt: 3 17\nIpExt: InNoRoutes\nIpExt: 0\n"


def test_tables_of_the_kernel(machine):
    """Sockets, the reverse-path filter's count, stolen time, settings."""
    system = machine({
        "/proc/net/udp": UDP, "/proc/net/netstat": NETSTAT, "/proc/stat": "cpu  1 2 3 4 5 6 7 8 0 0\ncpu0 1\n",
        "/proc/sys/net/core/rmem_max": "212992\n", "/proc/sys/net/core/bad": "many\n",
    })  # fmt: skip
    assert system.udp_sockets() == [UdpSocket("239.192.0.1", 9001, 4711, 0x1200, 42)]
    assert system.reverse_path_drops() == 17
    assert system.cpu_ticks() == (8, 36)
    assert system.sysctl("net/core/rmem_max") == 212992
    assert system.sysctl("net/core/bad") is None


def test_nothing_there(machine):
    """A machine without any of these files is read as one that says nothing."""
    system = machine({"/proc/stat": ""})
    assert system.udp_sockets() == []
    assert system.reverse_path_drops() == 0
    assert system.cpu_ticks() == (0, 0)
    assert system.cgroup_file("cpu.max", "cpu.cfs_quota_us") is None
    assert system.owner(1) is None


def test_control_groups_of_both_versions(machine):
    """The file of the own group, and the top's where a container hides the path."""
    two = {"/proc/self/cgroup": "0::/app\n", "/sys/fs/cgroup/app/cpu.max": "50000 100000"}
    assert machine(two).cgroup_file("cpu.max", "cpu.cfs_quota_us") == "50000 100000"
    one = {"/proc/self/cgroup": "4:cpu,cpuacct:/docker/1\n", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1"}
    assert machine(one).cgroup_file("cpu.max", "cpu.cfs_quota_us") == "-1"


def test_the_owner_of_a_socket():
    """Our own socket is ours, by name and number; a closed one is nobody's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        inode = os.fstat(sock.fileno()).st_ino
        owner = System().owner(inode)
        assert owner is not None
        assert owner.pid == os.getpid()
        assert str(owner).endswith(f"(process {os.getpid()})")
        assert any(each.inode == inode for each in System().udp_sockets())
    assert System().owner(inode) is None


def test_cpus():
    """This machine has a CPU that we may run on."""
    assert allowed_cpus() == os.sched_getaffinity(0)
