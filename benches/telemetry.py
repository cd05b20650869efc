"""Makes the files that the benchmark reads beside the scenario's own.

usage: telemetry.py WORK FLOWS CLAIMS...
WORK/zeek-FLOWS holds the Zeek logs of 454 days. Written are WORK/day/: the same conversations as one busy day, as
conn.log, conn.json, ipfix.pcap, netflow_v9.pcap and netflow_v5.pcap; WORK/sflow/sflow.pcap, a packet of each direction of the same;
WORK/packets/packets.pcap; and WORK/claims-N.txt for each N, and beside it the same as the lake stores addresses, for rivals.
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

# 2021-08-15.
DAY = 1_628_985_600


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


def the_day(work, flows):
    """The same rows, each at its own time of day of one day, in the order in which conversations ended, as Zeek writes them."""
    rows = list(lines(work, flows))
    for row in rows:
        row["ts"] = DAY + float(row["ts"]) % 86_400
        row["end"] = row["ts"] + (0 if row["duration"] == "-" else float(row["duration"]))
    rows.sort(key=lambda row: row.pop("end"))
    return rows


def write_day(work, flows):
    """One day, as four formats have it."""
    folder = f"{work}/day"
    if os.path.isdir(folder):
        return
    making = f"{folder}.making"
    os.makedirs(making, exist_ok=True)
    rows = the_day(work, flows)
    write_tsv(f"{making}/conn.log", rows)
    write_json(f"{making}/conn.json", rows)
    write_exports(f"{making}/ipfix.pcap", rows, ipfix_message)
    write_exports(f"{making}/netflow_v9.pcap", rows, v9_message)
    write_exports(f"{making}/netflow_v5.pcap", rows, v5_message)
    os.rename(making, folder)


def write_tsv(path, rows):
    """As Zeek's own writer has them."""
    with open(path, "w") as out:
        out.write("#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n")
        out.write("\t".join(["#fields", *rows[0]]) + "\n")
        for row in rows:
            out.write("\t".join([f"{row['ts']:.6f}", *list(row.values())[1:]]) + "\n")


def write_json(path, rows):
    """As Zeek's JSON writer has them: numbers as numbers, unset fields left out."""
    numbers = {"duration", "id.orig_p", "id.resp_p", "orig_bytes", "resp_bytes", "missed_bytes",
               "orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes"}
    with open(path, "w") as out:
        for row in rows:
            kept = {k: (float(v) if "." in v else int(v)) if k in numbers else v
                    for k, v in row.items() if v != "-"}
            out.write(json.dumps(kept) + "\n")


# Both directions of an IPv4 conversation are records of their own, as routers export them, with the times of the conversation.
# Elements (IANA): 8, 12 addresses; 7, 11 ports; 4 protocol; 6 TCP flags; 5 class of service; 2 packets; 1 octets;
# 10, 14 interfaces; 16, 17 AS; 9, 13 masks; 136 end reason.
ELEMENTS = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (5, 1), (2, 8), (1, 8), (10, 4), (14, 4), (16, 4), (17, 4),
            (9, 1), (13, 1), (136, 1)]
RECORD = struct.Struct("!IIHHBBBQQIIIIBBB")
TEMPLATE_ID = 256
RECORDS_A_MESSAGE = 20
NUMBERS = {"tcp": 6, "udp": 17, "icmp": 1}


def records(rows):
    """(start, end, packed record) of each direction, in the order of end, as a router's cache lets them go."""
    made = []
    for row in rows:
        if ":" in row["id.orig_h"]:
            continue
        src, dst = (int(ipaddress.IPv4Address(row[k])) for k in ("id.orig_h", "id.resp_h"))
        sport, dport = int(row["id.orig_p"]), int(row["id.resp_p"])
        protocol = NUMBERS.get(row["proto"], 0)
        start = row["ts"]
        end = start + (0 if row["duration"] == "-" else float(row["duration"]))
        flags = 0x1B if protocol == 6 else 0
        for way in ((src, dst, sport, dport, "orig"), (dst, src, dport, sport, "resp")):
            packets = int(row[f"{way[4]}_pkts"])
            if packets:
                octets = int(row[f"{way[4]}_ip_bytes"])
                made.append((end, start, RECORD.pack(*way[:4], protocol, flags, 0, packets, octets, 1, 2, 64_500, 64_501,
                                                     24, 16, 1)))
    made.sort(key=lambda record: record[0])
    return made


def template(kind, more):
    fields = ELEMENTS + more
    body = struct.pack("!HH", TEMPLATE_ID, len(fields)) + b"".join(struct.pack("!HH", *field) for field in fields)
    return struct.pack("!HH", kind, len(body) + 4) + body


def ipfix_message(batch, sequence, with_template):
    """RFC 7011, with the times of elements 152 and 153 (milliseconds)."""
    data = b"".join(packed + struct.pack("!QQ", int(start * 1000), int(end * 1000)) for end, start, packed in batch)
    sets = (template(2, [(152, 8), (153, 8)]) if with_template else b"") + struct.pack(
        "!HH", TEMPLATE_ID, len(data) + 4) + data
    exported = int(batch[-1][0]) + 1
    return exported, struct.pack("!HHIII", 10, len(sets) + 16, exported, sequence, 1) + sets


def v9_message(batch, sequence, with_template):
    """RFC 3954, with the times of fields 22 and 21 (uptime in milliseconds; the router came up at midnight)."""
    data = b"".join(packed + struct.pack("!II", int((start - DAY) * 1000), int((end - DAY) * 1000))
                    for end, start, packed in batch)
    data += b"\0" * (-len(data) % 4)
    sets = (template(0, [(22, 4), (21, 4)]) if with_template else b"") + struct.pack(
        "!HH", TEMPLATE_ID, len(data) + 4) + data
    exported = int(batch[-1][0]) + 1
    header = struct.pack("!HHIIII", 9, len(batch) + with_template, int((exported - DAY) * 1000), exported,
                         sequence // RECORDS_A_MESSAGE, 1)
    return exported, header + sets


def v5_message(batch, sequence, _):
    """Cisco's version 5: fixed records, octets and packets of 32 bits, times in uptime."""
    data = b""
    for end, start, packed in batch:
        src, dst, sport, dport, protocol, flags, tos, packets, octets, ingress, egress, *rest = RECORD.unpack(packed)
        data += struct.pack("!IIIHHIIIIHHBBBBHHBBH", src, dst, 0, ingress, egress, packets, min(octets, 0xFFFF_FFFF),
                            int((start - DAY) * 1000), int((end - DAY) * 1000), sport, dport, 0, flags, protocol, tos,
                            rest[0], rest[1], rest[2], rest[3], 0)
    exported = int(batch[-1][0]) + 1
    return exported, struct.pack("!HHIIIIBBH", 5, len(batch), int((exported - DAY) * 1000), exported, 0, sequence,
                                 0, 1, 0) + data


# Samples of this size in a datagram of an Ethernet.
SAMPLES_A_DATAGRAM = 10


def sflow_message(batch, sequence, _):
    """sFlow version 5: for each record one packet of its mean length, as one sampled header of Ethernet, IPv4 and what follows."""
    samples = b""
    for at, (_, _, packed) in enumerate(batch):
        src, dst, sport, dport, protocol, flags, tos, packets, octets, ingress, egress, *_ = RECORD.unpack(packed)
        transport = {6: struct.pack("!HHIIBBHHH", sport, dport, 0, 0, 0x50, flags, 512, 0, 0),
                     17: struct.pack("!HHHH", sport, dport, 8, 0)}.get(protocol, struct.pack("!BBHI", 8, 0, 0, 0))
        length = min(max(octets // packets, 20 + len(transport)), 1500)
        ip = struct.pack("!BBHHHBBHII", 0x45, tos, length, 0, 0, 64, protocol, 0, src, dst)
        header = b"\0" * 12 + b"\x08\0" + ip + transport
        raw = struct.pack("!IIII", 1, length + 18, 4, len(header)) + header + b"\0" * (-len(header) % 4)
        number = sequence + at + 1
        sample = struct.pack("!IIIIIIII", number, 1, 1, number, 0, ingress, egress, 1) + struct.pack("!II", 1, len(raw)) + raw
        samples += struct.pack("!II", 1, len(sample)) + sample
    exported = int(batch[-1][0]) + 1
    return exported, struct.pack("!IIIIIII", 5, 1, 0xC0000201, 0, sequence // SAMPLES_A_DATAGRAM + 1,
                                 int((exported - DAY) * 1000), len(batch)) + samples


def write_sflow(work, flows):
    """The same day, as a switch tells it by samples."""
    folder = f"{work}/sflow"
    if os.path.isdir(folder):
        return
    making = f"{folder}.making"
    os.makedirs(making, exist_ok=True)
    write_exports(f"{making}/sflow.pcap", the_day(work, flows), sflow_message, SAMPLES_A_DATAGRAM)
    os.rename(making, folder)


def write_exports(path, rows, message, batch=RECORDS_A_MESSAGE):
    """Datagrams of one exporter to one collector, in classic pcap."""
    made = records(rows)
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for at in range(0, len(made), batch):
            exported, payload = message(made[at:at + batch], at, at % (batch * 1_000) == 0)
            udp = struct.pack("!HHHH", 40_000, 2055, len(payload) + 8, 0) + payload
            ip = struct.pack("!BBHHHBBHII", 0x45, 0, len(udp) + 20, 0, 0, 64, 17, 0, 0xC0000201, 0xC0000202)
            frame = b"\0" * 12 + b"\x08\0" + ip + udp
            out.write(struct.pack("<IIII", exported, 0, len(frame), len(frame)))
            out.write(frame)


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
    write_day(work, flows)
    write_sflow(work, flows)
    write_packets(work)
    write_claims(work, flows, [int(count) for count in counts])
