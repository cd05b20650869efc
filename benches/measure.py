"""Times whole commands in turn, several rounds, and writes the figures into docs/performance.md, between its marks.

Every figure is the median of the rounds. A rival whose answer differs stops the run.
"""

import argparse
import datetime
import glob
import itertools
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import nfcapd

# Each part of the page has marks of its own, so that one may be measured alone.
BEGIN, END = "<!-- {}: written by make bench -->", "<!-- end of {} -->"
# The column of `flows import --format csv` that counts decoded records.
DECODED = 5
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))


class Run:
    """One command, timed as a whole process."""

    def __init__(self, command):
        begun = time.monotonic()
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, err = child.stdout.read(), None
        _, status, used = os.wait4(child.pid, 0)
        self.wall = time.monotonic() - begun
        if os.waitstatus_to_exitcode(status) not in (0, 3):
            err = child.stderr.read()
            sys.exit(f"{' '.join(command)}: failed\n{err}")
        self.cpu = used.ru_utime + used.ru_stime
        self.memory_mb = used.ru_maxrss / 1024
        self.answer = out.strip().splitlines()[-1] if out.strip() else ""


def rounds(commands):
    """Runs each command once a round, in turn: {label: [Run]}. Instead of a command there may be a function that gives
    one, or that runs one itself."""
    runs = {}
    for _ in range(ROUNDS):
        for label, command in commands.items():
            made = command() if callable(command) else command
            runs.setdefault(label, []).append(Run(made) if isinstance(made, list) else made)
    return runs


def median(runs, field):
    return statistics.median(getattr(run, field) for run in runs)


def imports(args, first):
    """Rows of the import table: (input, engine, records, CPU, rate, wall, memory)."""
    exports = f"{args.work}/exports/telemetry"
    day = f"{args.work}/day"
    sources = {
        "Zeek TSV, a day": f"{day}/conn.log",
        "Zeek JSON, a day": f"{day}/conn.json",
        "IPFIX in pcap, a day": f"{day}/ipfix.pcap",
        "NetFlow v9 in pcap, a day": f"{day}/netflow_v9.pcap",
        "NetFlow v5 in pcap, a day": f"{day}/netflow_v5.pcap",
        "sFlow in pcap, a day": f"{args.work}/sflow/sflow.pcap",
        "packets": f"{args.work}/packets",
        "Zeek TSV, 454 days": f"{args.work}/zeek-{first}/telemetry",
        "IPFIX in pcap, 454 days": next(iter(glob.glob(f"{exports}/*ipfix*"))),
    }
    homes = {}

    def into_new_home(path):
        def command():
            home = tempfile.mkdtemp(dir=args.work, prefix="home-")
            homes.setdefault(path, []).append(home)
            return [args.rahdar, "--home", home, "flows", "import", path, "--format", "csv"]
        return command

    commands = {(name, "rahdar"): into_new_home(path) for name, path in sources.items()}
    compared = {}
    for engine in ["duckdb", "polars"]:
        for name, form, log in [("Zeek TSV, a day", "tsv", "conn.log"), ("Zeek JSON, a day", "json", "conn.json")]:
            out = f"{args.work}/{engine}-{form}.parquet"
            commands[name, engine] = [sys.executable, "benches/rivals.py", "import", engine, form, f"{day}/{log}", out]
            out = f"{args.work}/{engine}-{form}-columns.parquet"
            commands[name, f"{engine}, the same columns"] = [
                sys.executable, "benches/columns.py", engine, form, f"{day}/{log}", out]
            compared.setdefault(f"{day}/{log}", []).append(out)
    for name, program in [("IPFIX in pcap, a day", nfcapd.NFCAPD), ("NetFlow v9 in pcap, a day", nfcapd.NFCAPD),
                          ("NetFlow v5 in pcap, a day", nfcapd.NFCAPD), ("sFlow in pcap, a day", nfcapd.SFCAPD)]:
        if nfcapd.installed(program):
            label = f"{os.path.basename(program)}, {nfcapd.compression(program)[1]}"
            commands[name, label] = lambda of=program, path=sources[name]: nfcapd.Run(of, path, args.work)
    runs = rounds(commands)
    for path, others in compared.items():
        ours = glob.glob(f"{homes[path][-1]}/flows/**/part-*.parquet", recursive=True)
        sums = {Run([sys.executable, "benches/columns.py", "sums", *files]).answer for files in [ours, *([other] for other in others)]}
        if len(sums) != 1:
            sys.exit(f"{path}: the columns differ: {sums}")
    for home in itertools.chain(*homes.values()):
        shutil.rmtree(home)
    for (name, engine), made in sorted(runs.items(), key=lambda run: list(sources).index(run[0][0])):
        records = int(made[0].answer.split(",")[DECODED] if engine == "rahdar" else made[0].answer)
        cpu = median(made, "cpu")
        memory = max(run.memory_mb for run in made)
        yield name, engine, records, cpu, records / cpu, median(made, "wall"), memory


def sweeps(args):
    """Rows of the sweep table."""
    for flows in args.flows:
        home = f"{args.work}/lake-{flows}"
        if not os.path.isdir(home):
            Run([args.rahdar, "--home", home, "flows", "import", f"{args.work}/zeek-{flows}/telemetry"])
        lake = f"{home}/flows"
        for claims in args.claims:
            listed = f"{args.work}/claims-{claims}.txt"
            commands = {"rahdar": [args.sweep, home, listed]}
            for engine, form in [("duckdb", "one"), ("duckdb", "two"), ("datafusion", "one"), ("datafusion", "two")]:
                commands[f"{engine} ({form} scan)"] = [
                    sys.executable, "benches/rivals.py", "sweep", engine, form, lake, listed]
            runs = rounds(commands)
            answers = {run.answer for made in runs.values() for run in made}
            if len(answers) != 1:
                sys.exit(f"{flows} flows, {claims} claims: the answers differ: {answers}")
            ours = median(runs["rahdar"], "cpu")
            for name, made in runs.items():
                cpu = median(made, "cpu")
                yield flows, claims, name, cpu, cpu / ours, median(made, "wall"), max(run.memory_mb for run in made)


def import_table(args):
    yield "| input | engine | records | CPU s | records per CPU s | wall s | memory MB |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    for name, engine, records, cpu, rate, wall, memory in imports(args, args.flows[0]):
        yield f"| {name} | {engine} | {records:,} | {cpu:.2f} | {rate:,.0f} | {wall:.2f} | {memory:.0f} |"


def sweep_table(args):
    yield "| flows | claims | engine | CPU s | CPU, rahdar = 1 | wall s | memory MB |"
    yield "|--:|--:|---|--:|--:|--:|--:|"
    for flows, claims, name, cpu, ratio, wall, memory in sweeps(args):
        yield f"| {flows:,} | {claims:,} | {name} | {cpu:.2f} | {ratio:.2f} | {wall:.2f} | {memory:.0f} |"


TABLES = {"import": import_table, "sweep": sweep_table}


def main():
    parser = argparse.ArgumentParser()
    for name in ["rahdar", "sweep", "work", "out"]:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--flows", nargs="+", type=int, required=True)
    parser.add_argument("--claims", nargs="+", type=int, required=True)
    parser.add_argument("--parts", nargs="+", choices=TABLES, default=list(TABLES))
    args = parser.parse_args()

    today = datetime.date.today().isoformat()
    revision = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    for part in args.parts:
        text = [
            f"Measured on {today} at revision {revision}: {os.cpu_count()} cores, {platform.machine()}, median of {ROUNDS} rounds, whole",
            "processes, CPU = user + system seconds, memory = largest peak. `benches/README.md` says what is measured.",
            "",
            *TABLES[part](args),
        ]
        begin, end = BEGIN.format(part), END.format(part)
        with open(args.out) as page:
            before, rest = page.read().split(begin)
        _, after = rest.split(end)
        with open(args.out, "w") as page:
            page.write("\n".join([before + begin, *text, end]) + after)


if __name__ == "__main__":
    main()
