//! Documents that follow from the column table.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;
use rahdar_model::FlowRecord;
use rahdar_model::column::flow::COLUMNS;
use rahdar_model::column::{Kind, Row};
use rahdar_model::fact::{Gap, Handshake, Resolution};
use rahdar_model::flow::Quality;

/// The generated documents: path from the root, and what must be in them.
pub(crate) fn generated() -> anyhow::Result<[(&'static str, String); 2]> {
    Ok([("docs/schema.md", schema()?), ("docs/protocols.md", protocols()?)])
}

/// Writes the generated documents.
pub(crate) fn write(root: &Path) -> anyhow::Result<()> {
    for (path, text) in generated()? {
        std::fs::write(root.join(path), text).with_context(|| format!("cannot write {path}"))?;
    }
    Ok(())
}

const NOTICE: &str = "<!-- Generated from crates/rahdar-model/src/column/ by `cargo xtask docs`. -->\n\n";

fn schema() -> anyhow::Result<String> {
    let mut text = format!("{NOTICE}# The tables\n\n");
    text.push_str(
        "Delta tables, each in a folder of its name and partitioned by `day`. An address is two signed halves of its\n\
         128 bits, each with the top bit flipped, so that numbers sort as addresses do; IPv4 is `::ffff:a.b.c.d`. In SQL,\n\
         each table is a view that has its addresses as text as well: `src`, `dst`, `client`, `server`, `answer`; `flows` has\n\
         `quality_names` too, the marks of `quality` in words. Three functions go with them: `in_cidr(hi, lo, text)`, whether\n\
         an address is in a network or is that address; `ip_text(hi, lo)`, an address as text; `ip(text)`, the halves of an\n\
         address, as `ip('192.0.2.1')['hi']` and `['lo']`:\n\n\
         \x20   SELECT src, dst, quality_names FROM flows WHERE in_cidr(dst_hi, dst_lo, '192.0.2.0/24')\n\n\
         ## flows\n\n\
         One row a flow record. Counters are as exported: nothing is multiplied by a sampling interval. Reverse\n\
         columns are null, not zero, where a record knows one direction only. In SQL, `community_id` is worked out\n\
         where the source has none.\n\n",
    );
    columns::<FlowRecord>(&mut text)?;
    text.push_str(
        "\n## resolutions\n\nOne row an answer to a DNS question, or a question that nobody answered.\n\n",
    );
    columns::<Resolution>(&mut text)?;
    text.push_str("\n## handshakes\n\nOne row a call of a server: a TLS handshake as far as it was in clear, or an HTTP request in clear.\n\n");
    columns::<Handshake>(&mut text)?;
    text.push_str("\n## gaps\n\nWhat was sent and is not stored. What one row counts, no other of its exporter does.\n\n");
    columns::<Gap>(&mut text)?;
    text.push_str("\n## Quality marks of flows\n\n| bit | mark |\n|---|---|\n");
    for (mark, name) in Quality::NAMES {
        writeln!(text, "| {} | {name} |", mark.bits().trailing_zeros())?;
    }
    Ok(text)
}

fn columns<R: Row>(text: &mut String) -> anyhow::Result<()> {
    text.push_str("| column | type | null | holds |\n|---|---|---|---|\n");
    for column in R::COLUMNS {
        let null = if column.nullable { "yes" } else { "" };
        writeln!(text, "| `{}` | {} | {null} | {} |", column.name, kind(column.kind), column.about)?;
    }
    Ok(())
}

fn protocols() -> anyhow::Result<String> {
    let mut text = format!("{NOTICE}# Where each column comes from\n\n");
    text.push_str(
        "Numbers are information elements (IANA). Empty: the protocol does not have it.\n\n\
         | column | NetFlow v5 | NetFlow v9, IPFIX | Zeek conn.log | packets |\n|---|---|---|---|---|\n",
    );
    for column in COLUMNS {
        let origin = &column.origin;
        writeln!(
            text,
            "| `{}` | {} | {} | {} | {} |",
            column.name, origin.netflow_v5, origin.ipfix, origin.zeek, origin.packets
        )?;
    }
    Ok(text)
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Date => "date",
        Kind::Timestamp => "timestamp (µs, UTC)",
        Kind::Int16 => "int16",
        Kind::Int32 => "int32",
        Kind::Int64 => "int64",
        Kind::Text => "text",
    }
}
