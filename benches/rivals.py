"""The same work by other engines. The last line printed is the answer.

usage: rivals.py sweep duckdb|datafusion one|two FLOWS CLAIMS
       rivals.py import duckdb|polars tsv|json LOG OUT
"""

import ipaddress
import sys

THREADS = 2
SIGN = 1 << 63

ONE_SCAN = """
WITH met AS (
  SELECT src_hi, src_lo, dst_hi, dst_lo, octets FROM flows
  WHERE (src_hi = {v4} AND src_lo IN (SELECT lo FROM claims)) OR (dst_hi = {v4} AND dst_lo IN (SELECT lo FROM claims))
)
SELECT count(*), CAST(coalesce(sum(octets), 0) AS BIGINT) FROM (
  SELECT octets FROM met JOIN claims ON src_hi = {v4} AND src_lo = lo
  UNION ALL
  SELECT octets FROM met JOIN claims ON dst_hi = {v4} AND dst_lo = lo
)
"""

TWO_SCANS = """
SELECT count(*), CAST(coalesce(sum(octets), 0) AS BIGINT) FROM (
  SELECT octets FROM flows JOIN claims ON src_hi = {v4} AND src_lo = lo
  UNION ALL
  SELECT octets FROM flows JOIN claims ON dst_hi = {v4} AND dst_lo = lo
)
"""


def halves(text):
    """An IPv4 address as the lake stores it: two signed halves, top bits flipped."""
    bits = (0xFFFF << 32) | int(ipaddress.IPv4Address(text))
    signed = lambda half: (half ^ SIGN) - (1 << 64) if (half ^ SIGN) >= SIGN else half ^ SIGN
    return signed(bits >> 64), signed(bits & ((1 << 64) - 1))


def sweep(engine, form, flows, claims):
    query = {"one": ONE_SCAN, "two": TWO_SCANS}[form].format(v4=halves("0.0.0.0")[0])
    import pyarrow
    # Ready made, so that no rival is charged for Python's reading of text.
    los = pyarrow.py_buffer(open(claims + ".halves", "rb").read())
    table = pyarrow.table({"lo": pyarrow.Array.from_buffers(pyarrow.int64(), len(los) // 8, [None, los])})
    if engine == "duckdb":
        import duckdb
        db = duckdb.connect()
        db.execute(f"SET threads={THREADS}")
        db.register("given", table)
        db.execute("CREATE TEMP TABLE claims AS SELECT lo FROM given")
        db.execute(f"CREATE VIEW flows AS SELECT * FROM read_parquet('{flows}/day=*/*.parquet')")
        return db.execute(query).fetchone()
    import datafusion
    config = datafusion.SessionConfig({
        "datafusion.execution.target_partitions": str(THREADS),
        "datafusion.execution.parquet.pushdown_filters": "true",
        "datafusion.execution.parquet.reorder_filters": "true",
    })
    db = datafusion.SessionContext(config)
    db.register_parquet("flows", flows, table_partition_cols=[("day", pyarrow.string())])
    db.from_arrow(table, "claims")
    batch = db.sql(query).collect()[0]
    return batch.column(0)[0].as_py(), batch.column(1)[0].as_py()


def fields_of(log):
    with open(log) as opened:
        return next(line for line in opened if line.startswith("#fields")).rstrip("\n").split("\t")[1:]


NUMBERS = {"ts": float, "duration": float, "id.orig_p": int, "id.resp_p": int, "orig_bytes": int, "resp_bytes": int,
           "missed_bytes": int, "orig_pkts": int, "orig_ip_bytes": int, "resp_pkts": int, "resp_ip_bytes": int}


def duckdb_engine():
    import duckdb
    db = duckdb.connect()
    db.execute(f"SET threads={THREADS}")
    return db


def duckdb_source(form, log):
    if form == "json":
        return f"read_json('{log}', format='newline_delimited')"
    # Without a table of columns DuckDB takes minutes to find out what the lines are.
    kinds = {float: "DOUBLE", int: "BIGINT", None: "VARCHAR"}
    columns = ", ".join(f"'{field}': '{kinds[NUMBERS.get(field)]}'" for field in fields_of(log))
    return (f"read_csv('{log}', delim='\t', comment='#', header=false, nullstr='-', quote='', escape='', "
            f"auto_detect=false, columns={{{columns}}})")


def convert_duckdb(form, log, out):
    db = duckdb_engine()
    db.execute(f"COPY (SELECT * FROM {duckdb_source(form, log)}) TO '{out}' (FORMAT parquet, COMPRESSION zstd)")
    return db.execute(f"SELECT count(*) FROM '{out}'").fetchone()


def polars_frame(form, log):
    import polars
    if form == "json":
        return polars.scan_ndjson(log)
    kinds = {float: polars.Float64, int: polars.Int64, None: polars.String}
    schema = {field: kinds[NUMBERS.get(field)] for field in fields_of(log)}
    return polars.scan_csv(log, separator="\t", comment_prefix="#", has_header=False, null_values="-",
                           quote_char=None, schema=schema)


def convert_polars(form, log, out):
    import polars
    polars_frame(form, log).sink_parquet(out, compression="zstd")
    return [polars.scan_parquet(out).select(polars.len()).collect().item()]


if __name__ == "__main__":
    verb, engine, *rest = sys.argv[1:]
    convert = {"duckdb": convert_duckdb, "polars": convert_polars}
    print(*(sweep(engine, *rest) if verb == "sweep" else convert[engine](*rest)))
