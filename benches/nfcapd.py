"""nfcapd and sfcapd of nfdump, timed as whole processes while a capture's datagrams are sent to them.

The sender waits whenever the collector's socket fills, so that nothing is lost. Its own work is not counted.
"""

import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

PORT = 29_955
BUFFER = 4 << 20
# Datagrams between two looks at the collector's socket.
BURST = 200


# Debian's have no zstd; others are named by the paths of their programs.
NFCAPD, SFCAPD, NFDUMP = (os.environ.get(name, name.lower()) for name in ("NFCAPD", "SFCAPD", "NFDUMP"))


def installed(program):
    return shutil.which(program) and shutil.which(NFDUMP)


def compression(program):
    """The best compression that this program has: its option and its name."""
    told = subprocess.run([program, "-h"], capture_output=True, text=True)
    return ("-z=zstd", "zstd") if "zstd" in told.stdout + told.stderr else ("-y", "LZ4")


def datagrams(capture):
    """The UDP payloads of a classic pcap of Ethernet and IPv4 without options."""
    with open(capture, "rb") as opened:
        opened.read(24)
        while header := opened.read(16):
            yield opened.read(struct.unpack("<IIII", header)[2])[42:]


def waiting():
    """Octets that the collector has not read yet."""
    for line in open("/proc/net/udp").readlines()[1:]:
        columns = line.split()
        if int(columns[1].split(":")[1], 16) == PORT:
            return int(columns[4].split(":")[1], 16)
    return None


class Run:
    """What measure.Run has, of nfcapd or sfcapd."""

    def __init__(self, program, capture, work):
        folder = tempfile.mkdtemp(dir=work, prefix="nfcapd-")
        begun = time.monotonic()
        child = subprocess.Popen(
            [program, "-w", folder, "-b", "127.0.0.1", "-p", str(PORT), compression(program)[0], "-t", "3600",
             "-B", str(BUFFER)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: waiting() is not None)
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for at, payload in enumerate(datagrams(capture)):
            if at % BURST == 0:
                until(lambda: waiting() < BUFFER // 8)
            sender.sendto(payload, ("127.0.0.1", PORT))
        until(lambda: waiting() == 0)
        child.send_signal(signal.SIGTERM)
        _, _, used = os.wait4(child.pid, 0)
        self.wall = time.monotonic() - begun
        self.cpu = used.ru_utime + used.ru_stime
        self.memory_mb = used.ru_maxrss / 1024
        told = subprocess.run([NFDUMP, "-I", "-R", folder], capture_output=True, text=True).stdout
        self.answer = re.search(r"^Flows: (\d+)", told, re.MULTILINE).group(1)
        shutil.rmtree(folder)


def until(holds):
    deadline = time.monotonic() + 60
    while not holds():
        if time.monotonic() > deadline:
            sys.exit("the collector does not read what it is sent")
        time.sleep(0.001)
