"""Times whole commands in turn, several rounds, and writes docs/performance.md.

Every figure is the median of the rounds. A rival whose answer differs stops the run.
"""

import argparse
import datetime
import glob
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

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
    """Runs each command once a round, in turn: {label: [Run]}. A command may be a function that gives one."""
    runs = {}
    for _ in range(ROUNDS):
        for label, command in commands.items():
            runs.setdefault(label, []).append(Run(command() if callable(command) else command))
    return runs


def median(runs, field):
    return statistics.median(getattr(run, field) for run in runs)


def imports(args, first):
    """Rows of the import table."""
    exports = f"{args.work}/exports/telemetry"
    sources = {
        "Zeek TSV": f"{args.work}/zeek-{first}/telemetry",
        "Zeek JSON": f"{args.work}/json",
        "IPFIX in pcap": next(iter(glob.glob(f"{exports}/*ipfix*"))),
        "NetFlow v9 in pcap": next(iter(glob.glob(f"{exports}/*v9*"))),
        "NetFlow v5 in pcap": next(iter(glob.glob(f"{exports}/*v5*"))),
        "packets": f"{args.work}/packets",
    }
    homes = []

    def into_new_home(path):
        def command():
            homes.append(tempfile.mkdtemp(dir=args.work, prefix="home-"))
            return [args.rahdar, "--home", homes[-1], "flows", "import", path, "--format", "csv"]
        return command

    commands = {name: into_new_home(path) for name, path in sources.items()}
    rivals = [sys.executable, "benches/rivals.py", "import", "duckdb"]
    logs = f"{args.work}/zeek-{first}/telemetry/*.log*"
    commands["Zeek TSV, DuckDB"] = rivals + ["tsv", logs, f"{args.work}/duckdb-tsv.parquet"]
    commands["Zeek JSON, DuckDB"] = rivals + ["json", f"{args.work}/json/conn.json", f"{args.work}/duckdb-json.parquet"]
    runs = rounds(commands)
    for home in homes:
        shutil.rmtree(home)
    for name, made in runs.items():
        # rahdar: inputs,already_stored,left_alone,failed,received,decoded,held,refused,rows,seconds; DuckDB: rows.
        columns = made[0].answer.split(",")
        records = int(columns[5] if len(columns) > 1 else columns[0])
        cpu = median(made, "cpu")
        yield name, records, cpu, records / cpu, median(made, "wall"), max(run.memory_mb for run in made)


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


def main():
    parser = argparse.ArgumentParser()
    for name in ["rahdar", "sweep", "work", "out"]:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--flows", nargs="+", type=int, required=True)
    parser.add_argument("--claims", nargs="+", type=int, required=True)
    args = parser.parse_args()

    today = datetime.date.today().isoformat()
    revision = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    text = [
        "# Performance",
        "",
        f"Written by `make bench` on {today} at revision {revision}: {os.cpu_count()} cores, {platform.machine()}, median of",
        f"{ROUNDS} rounds, whole processes, CPU = user + system seconds, memory = largest peak. `benches/README.md` says what is measured.",
        "",
        "## Import: file to committed table",
        "",
        "| input | records | CPU s | records per CPU s | wall s | memory MB |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, records, cpu, rate, wall, memory in imports(args, args.flows[0]):
        text.append(f"| {name} | {records:,} | {cpu:.2f} | {rate:,.0f} | {wall:.2f} | {memory:.0f} |")
    text += [
        "",
        "## Sweep: flows that meet a list of addresses",
        "",
        "| flows | claims | engine | CPU s | CPU, rahdar = 1 | wall s | memory MB |",
        "|--:|--:|---|--:|--:|--:|--:|",
    ]
    for flows, claims, name, cpu, ratio, wall, memory in sweeps(args):
        text.append(f"| {flows:,} | {claims:,} | {name} | {cpu:.2f} | {ratio:.2f} | {wall:.2f} | {memory:.0f} |")
    with open(args.out, "w") as out:
        out.write("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
