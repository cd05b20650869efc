"""Judges captures whose command traffic is known by rahdar and by plainer rules, and writes docs/accuracy.md between its marks.

A pair is a host and an address it met. Each pair of the captures in captures.csv is command traffic or it is not; the rules are
asked of pairs whose address stands in a list (verdicts) or of those with enough contacts (rhythm). The captures and the published
lists are those of the corpus and are read in place.
"""

import argparse
import collections
import csv
import gzip
import ipaddress
import json
import os
import shutil
import subprocess
import sys
import tempfile

BEGIN, END = "<!-- captures: written by make accuracy -->", "<!-- end of captures -->"
VERDICTS = ["confirmed", "likely", "possible"]
# The label of pairs that are neither command traffic nor harmless.
LEFT_OUT = "left out"
# The label of captures whose labels say nothing of who calls home.
NO_RHYTHM = "no rhythm"
# Contacts that a rhythm can be told from; rahdar and RITA both ask for some.
LEAST_CONTACTS = 20
# Two of the thresholds that RITA ships with.
RITA_THRESHOLDS = [0.75, 0.9]


def told(rahdar, home, *args):
    """What the command prints as JSON."""
    done = subprocess.run([rahdar, "--home", home, *args, "--format", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode not in (0, 3):
        sys.exit(f"{' '.join(args)}: failed\n{done.stderr.decode()}")
    return json.loads(done.stdout) if done.stdout.strip() else []


def rows(path):
    with open(path, newline="") as lines:
        return list(csv.DictReader(lines))


def labelled_pairs(corpus, capture, labels):
    """Pairs of one capture that are command traffic, by our table or by the labels in its own log, and pairs that are left out."""
    of_capture = [row for row in labels if row["capture"] == capture and row["host"]]
    pairs = {(row["host"], row["remote"]) for row in of_capture if row["label"] != LEFT_OUT}
    log = os.path.join(corpus, "captures", capture, "conn.log.labeled.gz")
    if os.path.exists(log):
        verdicts = collections.defaultdict(collections.Counter)
        with gzip.open(log, "rt") as lines:
            for line in lines:
                if not line.startswith("#"):
                    fields = line.rstrip("\n").split("\t")
                    verdicts[fields[2], fields[4]][fields[-2]] += 1
        pairs |= {pair for pair, counts in verdicts.items() if counts.most_common(1)[0][0] == "Malicious"}
    left_out = {(row["host"], row["remote"]) for row in of_capture if row["label"] == LEFT_OUT}
    return pairs - left_out, left_out


class Listed:
    """Addresses and networks that a list names."""

    def __init__(self, indicators):
        self.by_length = collections.defaultdict(set)
        for indicator in indicators:
            network = ipaddress.ip_network(indicator, strict=False)
            self.by_length[network.version, network.prefixlen].add(int(network.network_address))

    def __contains__(self, address):
        address = ipaddress.ip_address(address)
        bits = address.max_prefixlen
        return any(
            version == address.version and int(address) >> (bits - length) << (bits - length) in networks
            for (version, length), networks in self.by_length.items()
        )


def met(rahdar, home):
    """Every pair of a capture, both ways round: {(host, remote): [(start, octets, established)]}."""
    select = (
        "SELECT src, dst, extract(epoch FROM start_time) AS at, octets, protocol, "
        "coalesce(tcp_flags, 0) & 18 AS out, coalesce(rev_tcp_flags, 0) & 18 AS back, "
        "coalesce(packets, 0) > 0 AND coalesce(rev_packets, 0) > 0 AS both FROM flows"
    )
    pairs = collections.defaultdict(list)
    for row in told(rahdar, home, "flows", "sql", select):
        # Zeek raises connection_established when both ends of a TCP connection said SYN and ACK.
        established = row["protocol"] == 6 and row["both"] and row["out"] & 2 and row["back"] == 18
        contact = (float(row["at"]), row["octets"], bool(established))
        pairs[row["src"], row["dst"]].append(contact)
        pairs[row["dst"], row["src"]].append(contact)
    return pairs


def rita(scorer, pairs, begin, end):
    """The beacon scores of RITA v5 for the contacts of these pairs, none where its rule does not apply."""
    lines = []
    for contacts in pairs:
        lines.append(" ".join([str(int(begin)), str(int(end)), *(f"{int(at)}:{octets}" for at, octets, _ in contacts)]))
    done = subprocess.run([scorer], input="\n".join(lines), stdout=subprocess.PIPE, text=True, check=True)
    return [None if word == "none" else float(word) for word in done.stdout.split()]


class Tally:
    """How often a rule was right."""

    def __init__(self):
        self.hits = self.false = self.missed = 0

    def add(self, is_told, is_real):
        self.hits += is_told and is_real
        self.false += is_told and not is_real
        self.missed += is_real and not is_told

    def cells(self):
        share = lambda of: f"{self.hits / (self.hits + of):.2f}" if self.hits + of else "none"
        return [str(self.hits), str(self.false), str(self.missed), share(self.false), share(self.missed)]


def judge(args):
    labels = rows(os.path.join(os.path.dirname(__file__), "captures.csv"))
    captures = list(dict.fromkeys(row["capture"] for row in labels))
    work = tempfile.mkdtemp(prefix="rahdar-accuracy-")
    lists = os.path.join(work, "lists")
    known = os.path.join(work, "known.csv")
    with open(known, "w") as out:
        out.write("indicator,port,cluster,valid_from,valid_until\n")
        for row in labels:
            if row["remote"] and row["label"] != LEFT_OUT:
                out.write(f"{row['remote']},{row['port']},{row['label']},{row['from']},{row['until']}\n")
    told(args.rahdar, lists, "intel", "import", os.path.join(args.corpus, "intel"))
    published = Listed(claim["indicator"] for claim in told(args.rahdar, lists, "intel", "list") if is_network(claim))
    told(args.rahdar, lists, "intel", "import", known)
    everything = Listed(claim["indicator"] for claim in told(args.rahdar, lists, "intel", "list") if is_network(claim))

    rules = ["plain matching", "Zeek's established", *(f"rahdar, {verdict} or better" for verdict in VERDICTS)]
    verdicts = {rule: Tally() for rule in rules}
    rhythm = {f"RITA's score ≥ {least:.2f}": Tally() for least in RITA_THRESHOLDS} | {"rahdar, q ≤ .05": Tally()}
    counts, wrong = collections.Counter(), []
    for n, capture in enumerate(captures):
        home = os.path.join(work, str(n))
        shutil.copytree(lists, home)
        told(args.rahdar, home, "flows", "import", os.path.join(args.corpus, "captures", capture))
        real, left_out = labelled_pairs(args.corpus, capture, labels)
        pairs = {pair: contacts for pair, contacts in met(args.rahdar, home).items() if pair not in left_out}
        hunted = told(args.rahdar, home, "hunt")
        graded = {}
        for finding in hunted["findings"]:
            for place in finding["infrastructure"]:
                pair = finding["victim"]["address"], place["address"]
                rank = VERDICTS.index(finding["verdict"])
                graded[pair] = min(graded.get(pair, len(VERDICTS)), rank)
        for pair, contacts in sorted(pairs.items()):
            if pair[1] not in everything:
                continue
            counts["listed"] += 1
            counts["published"] += pair[1] in published
            is_real = pair in real
            verdicts[rules[0]].add(True, is_real)
            verdicts[rules[1]].add(any(established for _, _, established in contacts), is_real)
            rank = graded.get(pair, len(VERDICTS))
            for i, verdict in enumerate(VERDICTS):
                verdicts[f"rahdar, {verdict} or better"].add(rank <= i, is_real)
            if (rank <= 1) != is_real:
                wrong.append((capture, *pair, "missed" if is_real else VERDICTS[rank]))
        if any(row["capture"] == capture and row["label"] == NO_RHYTHM for row in labels):
            continue
        beats = {(row["host"], row["address"]) for row in told(args.rahdar, home, "hunt", "--rhythm")}
        times = [at for contacts in pairs.values() for at, _, _ in contacts]
        asked = []
        for pair, contacts in sorted(pairs.items()):
            # Of the two ways round, the one that a rule speaks of; else the one that is labelled, else the first.
            back = pair[1], pair[0]
            if len(contacts) >= LEAST_CONTACTS and back not in real and (pair in real or pair < back):
                asked.append((pair, contacts))
        scores = rita(args.rita, [contacts for _, contacts in asked], min(times, default=0), max(times, default=0))
        for (pair, _), score in zip(asked, scores, strict=True):
            counts["rhythm"] += 1
            for least in RITA_THRESHOLDS:
                rhythm[f"RITA's score ≥ {least:.2f}"].add(score is not None and score >= least, pair in real)
            rhythm["rahdar, q ≤ .05"].add(pair in beats or (pair[1], pair[0]) in beats, pair in real)
    shutil.rmtree(work)
    return {"captures": captures, "verdicts": verdicts, "rhythm": rhythm, "counts": counts, "wrong": wrong}


def is_network(claim):
    return claim["type"] in ("ipv4", "ipv6", "cidr")


def table(head, tallies):
    lines = [f"| {head} | found | false | missed | precision | recall |", "|---|--:|--:|--:|--:|--:|"]
    return lines + [f"| {rule} | {' | '.join(tally.cells())} |" for rule, tally in tallies.items()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rahdar", required=True)
    parser.add_argument("--rita", required=True, help="the example `rita` of rahdar-hunt")
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    judged = judge(args)
    counts = judged["counts"]
    lines = [
        f"{len(judged['captures'])} sets of captures; {counts['listed']} pairs with a listed address, {counts['published']} of them by a "
        f"published list; {counts['rhythm']} pairs with {LEAST_CONTACTS} contacts or more.",
        "",
        *table("verdict on a listed address", judged["verdicts"]),
        "",
        *table("command traffic by rhythm alone", judged["rhythm"]),
        "",
        "Where *likely or better* is wrong:",
        "",
        *(f"- {capture}: {host} and {remote}: {how}" for capture, host, remote, how in judged["wrong"]),
    ]
    text = open(args.out).read()
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    open(args.out, "w").write(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{after}")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
