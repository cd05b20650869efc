"""The columns that rahdar stores of a row of Zeek's conn.log, made by rivals. What is the same in every row (exporter, sampling,
what Zeek does not know) is left out, and so are IPv6 addresses, for which neither has a function: both give them as null.

Usage: columns.py polars|duckdb tsv|json LOG OUT    writes them
       columns.py sums PARQUET...                   says what they add up to, for a comparison
"""

import sys

import rivals

V4_LOW = 0xFFFF << 32
LEAST = -(1 << 63)
PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1}
# Letters of a history and the flags of TCP that each of them tells of, for the originator.
FLAGS = {"FI": 1, "SHQ": 2, "RI": 4, "HAD": 16}
GUESSED, GAP, MIDSTREAM, IMPOSSIBLE = 1 << 5, 1 << 11, 1 << 12, 1 << 2


def by_polars(form, log, out):
    import polars
    from polars import col, lit, when

    def low(name):
        parts = col(name).str.split_exact(".", 3)
        octet = [parts.struct.field(f"field_{at}").cast(polars.Int64, strict=False) for at in range(4)]
        bits = octet[0] * (1 << 24) + octet[1] * (1 << 16) + octet[2] * (1 << 8) + octet[3]
        return bits + (V4_LOW + LEAST)

    def flags(letters_of):
        told = [when(col("history").str.contains(f"[{letters_of(letters)}]")).then(bit).otherwise(0)
                for letters, bit in FLAGS.items()]
        return when(col("proto") == "tcp").then(sum(told[1:], told[0]))

    def impossible(packets, octets):
        return (octets < packets * 20) | (octets > packets * 65_535)

    start = (col("ts") * 1e6).round().cast(polars.Int64)
    duration = (col("duration") * 1e6).fill_null(0).round().cast(polars.Int64)
    is_midstream = (col("proto") == "tcp") & ~col("history").str.contains("[SsQq]")
    quality = [when(col("missed_bytes") > 0).then(GAP).otherwise(0),
               when(is_midstream).then(MIDSTREAM).otherwise(0),
               when(col("history").str.contains("^", literal=True) | is_midstream
                    & ~col("history").str.contains("[shq]")).then(GUESSED).otherwise(0),
               when(impossible(col("orig_pkts"), col("orig_ip_bytes")) | impossible(col("resp_pkts"), col("resp_ip_bytes")))
               .then(IMPOSSIBLE).otherwise(0)]
    is_icmp = col("proto") == "icmp"
    frame = rivals.polars_frame(form, log).with_row_index("source_row", offset=1).select(
        start.cast(polars.Datetime("us", "UTC")).alias("start_time"),
        (start + duration).cast(polars.Datetime("us", "UTC")).alias("end_time"),
        when(low("id.orig_h").is_not_null()).then(lit(LEAST)).alias("src_hi"), low("id.orig_h").alias("src_lo"),
        when(low("id.resp_h").is_not_null()).then(lit(LEAST)).alias("dst_hi"), low("id.resp_h").alias("dst_lo"),
        when(is_icmp).then(0).otherwise(col("id.orig_p")).cast(polars.Int32).alias("src_port"),
        when(is_icmp).then(0).otherwise(col("id.resp_p")).cast(polars.Int32).alias("dst_port"),
        col("proto").replace_strict(PROTOCOLS, default=0, return_dtype=polars.Int16).alias("protocol"),
        flags(str).cast(polars.Int32).alias("tcp_flags"), flags(str.lower).cast(polars.Int32).alias("rev_tcp_flags"),
        col("orig_pkts").alias("packets"), col("orig_ip_bytes").alias("octets"),
        col("resp_pkts").alias("rev_packets"), col("resp_ip_bytes").alias("rev_octets"),
        col("orig_bytes").alias("payload_octets"), col("resp_bytes").alias("rev_payload_octets"),
        col("uid"), col("service"), col("conn_state").alias("state"),
        sum(quality[1:], quality[0]).cast(polars.Int32).alias("quality"),
        col("source_row").cast(polars.Int64),
    )
    frame.sink_parquet(out, compression="zstd")
    return polars.scan_parquet(out).select(polars.len()).collect().item()


def by_duckdb(form, log, out):
    def low(name):
        parts = [f"try_cast(split_part(\"{name}\", '.', {at}) AS BIGINT)" for at in (1, 2, 3, 4)]
        return f"({parts[0]} * 16777216 + {parts[1]} * 65536 + {parts[2]} * 256 + {parts[3]} + {V4_LOW} + ({LEAST + 1}) - 1)"

    def flags(letters_of):
        told = [f"CASE WHEN regexp_matches(history, '[{letters_of(letters)}]') THEN {bit} ELSE 0 END"
                for letters, bit in FLAGS.items()]
        return f"CASE WHEN proto = 'tcp' THEN ({' + '.join(told)})::INTEGER END"

    def impossible(packets, octets):
        return f"({octets} < {packets} * 20 OR {octets} > {packets} * 65535)"

    start, duration = "round(ts * 1e6)::BIGINT", "round(coalesce(duration, 0) * 1e6)::BIGINT"
    midstream = "(proto = 'tcp' AND NOT regexp_matches(history, '[SsQq]'))"
    quality = " + ".join(f"CASE WHEN {test} THEN {mark} ELSE 0 END" for test, mark in [
        ("missed_bytes > 0", GAP), (midstream, MIDSTREAM),
        (f"(contains(history, '^') OR {midstream} AND NOT regexp_matches(history, '[shq]'))", GUESSED),
        (f"({impossible('orig_pkts', 'orig_ip_bytes')} OR {impossible('resp_pkts', 'resp_ip_bytes')})", IMPOSSIBLE)])
    protocol = " ".join(f"WHEN '{word}' THEN {number}" for word, number in PROTOCOLS.items())
    columns = f"""make_timestamptz({start}) AS start_time, make_timestamptz({start} + {duration}) AS end_time,
        CASE WHEN {low('id.orig_h')} IS NOT NULL THEN {LEAST + 1} - 1 END AS src_hi, {low('id.orig_h')} AS src_lo,
        CASE WHEN {low('id.resp_h')} IS NOT NULL THEN {LEAST + 1} - 1 END AS dst_hi, {low('id.resp_h')} AS dst_lo,
        CASE WHEN proto = 'icmp' THEN 0 ELSE "id.orig_p" END::INTEGER AS src_port,
        CASE WHEN proto = 'icmp' THEN 0 ELSE "id.resp_p" END::INTEGER AS dst_port,
        CASE proto {protocol} ELSE 0 END::SMALLINT AS protocol,
        {flags(str)} AS tcp_flags, {flags(str.lower)} AS rev_tcp_flags,
        orig_pkts AS packets, orig_ip_bytes AS octets, resp_pkts AS rev_packets, resp_ip_bytes AS rev_octets,
        orig_bytes AS payload_octets, resp_bytes AS rev_payload_octets, uid, service, conn_state AS state,
        ({quality})::INTEGER AS quality, row_number() OVER () AS source_row"""
    db = rivals.duckdb_engine()
    db.execute(f"COPY (SELECT {columns} FROM {rivals.duckdb_source(form, log)}) TO '{out}' (FORMAT parquet, COMPRESSION zstd)")
    return db.execute(f"SELECT count(*) FROM '{out}'").fetchone()[0]


def sums(files):
    """One number for each column, of the rows whose addresses are IPv4."""
    numbers = ["src_lo", "dst_lo", "src_port", "dst_port", "protocol", "tcp_flags", "rev_tcp_flags", "packets", "octets",
               "rev_packets", "rev_octets", "payload_octets", "rev_payload_octets", "quality"]
    asked = [f"sum({name}::HUGEINT)" for name in numbers]
    asked += [f"sum(epoch_us({name})::HUGEINT)" for name in ("start_time", "end_time")]
    asked += [f"count(DISTINCT {name})" for name in ("uid", "service", "state")]
    query = f"SELECT count(*), {', '.join(asked)} FROM read_parquet({files!r}) WHERE src_hi = {LEAST + 1} - 1 AND src_lo IS NOT NULL"
    return rivals.duckdb_engine().execute(query).fetchone()


if __name__ == "__main__":
    verb, *rest = sys.argv[1:]
    print(*(sums(rest) if verb == "sums" else [{"polars": by_polars, "duckdb": by_duckdb}[verb](*rest)]))
