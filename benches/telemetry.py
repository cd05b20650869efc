"""Makes the files that the benchmark reads beside the scenario's own.

usage: telemetry.py WORK FLOWS CLAIMS...
WORK/zeek-FLOWS holds the Zeek logs; written are WORK/json/conn.json, WORK/packets/packets.pcap and
WORK/claims-N.txt for each N, and beside it the same as the lake stores addresses, for rivals.
"""

import glob
import gzip
import ipaddress
import json
import os
import random
import struct
import sys

from rivals import halves

PACKETS = 1_000_000


def lines(work, flows):
    """The rows of the Zeek logs, as dicts of text."""
    for path in sorted(glob.glob(f"{work}/zeek-{flows}/telemetry/**/*.log*", recursive=True)):
        opened = gzip.open(path, "rt") if path.endswith(".gz") else open(path)
        fields = []
        for line in opened:
            if line.startswith("#fields"):
                fields = line.rstrip("\n").split("\t")[1:]
            elif not line.startswith("#"):
                yield dict(zip(fields, line.rstrip("\n").split("\t")))


def write_json(work, flows):
    """The same rows as Zeek's JSON writer has them: numbers as numbers, unset fields left out."""
    os.makedirs(f"{work}/json", exist_ok=True)
    path = f"{work}/json/conn.json"
    if os.path.exists(path):
        return
    numbers = {"ts", "id.orig_p", "id.resp_p", "duration", "orig_bytes", "resp_bytes", "missed_bytes",
               "orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes"}
    with open(path, "w") as out:
        for row in lines(work, flows):
            kept = {k: (float(v) if "." in v else int(v)) if k in numbers else v
                    for k, v in row.items() if v != "-"}
            out.write(json.dumps(kept) + "\n")


def write_packets(work):
    """TCP packets of many flows, headers only, in classic pcap."""
    os.makedirs(f"{work}/packets", exist_ok=True)
    path = f"{work}/packets/packets.pcap"
    if os.path.exists(path):
        return
    rng = random.Random(1)
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for i in range(PACKETS):
            flow = rng.randrange(100_000)
            src, dst = 0xC6120000 + flow % 131_072, 0xCB007100 + flow % 256
            length = 40 + rng.randrange(1_400)
            ip = struct.pack("!BBHHHBBHII", 0x45, 0, length, 0, 0, 64, 6, 0, src, dst)
            tcp = struct.pack("!HHIIBBHHH", 1024 + flow % 60_000, 443, i, 0, 0x50, 0x18, 512, 0, 0)
            frame = b"\0" * 12 + b"\x08\0" + ip + tcp
            out.write(struct.pack("<IIII", 1_621_468_800 + i // 100, i % 100, len(frame), length + 14))
            out.write(frame)


def write_claims(work, flows, counts):
    """Addresses: ten that the telemetry holds, the rest of a space that it does not."""
    hit = []
    for row in lines(work, flows):
        address = row["id.resp_h"]
        if address.startswith("198.1") and address not in hit:
            hit.append(address)
            if len(hit) == 10:
                break
    for count in counts:
        rng = random.Random(count)
        rest = [str(ipaddress.ip_address(0x0A000000 + n)) for n in rng.sample(range(1 << 24), count - 10)]
        with open(f"{work}/claims-{count}.txt", "w") as out:
            out.write("\n".join(hit + rest) + "\n")
        with open(f"{work}/claims-{count}.txt.halves", "wb") as out:
            out.write(b"".join(struct.pack("<q", halves(address)[1]) for address in hit + rest))


if __name__ == "__main__":
    work, flows, *counts = sys.argv[1:]
    write_json(work, flows)
    write_packets(work)
    write_claims(work, flows, [int(count) for count in counts])
