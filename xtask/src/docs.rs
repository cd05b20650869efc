//! Documents that follow from the column table.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;
use rahdar_model::column::{COLUMNS, Kind};
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

const NOTICE: &str = "<!-- Generated from crates/rahdar-model/src/column.rs by `cargo xtask docs`. -->\n\n";

fn schema() -> anyhow::Result<String> {
    let mut text = format!("{NOTICE}# The flow table\n\n");
    text.push_str(
        "A Delta table, partitioned by `day`. Counters are as exported: nothing is multiplied by a sampling\n\
         interval. Reverse columns are null, not zero, where a record knows one direction only. In SQL, the view\n\
         `flows` adds `src` and `dst` as text.\n\n\
         An address is two signed halves of its 128 bits, each with the top bit flipped, so that numbers sort as\n\
         addresses do; IPv4 is `::ffff:a.b.c.d`.\n\n\
         | column | type | null | holds |\n|---|---|---|---|\n",
    );
    for column in COLUMNS {
        let null = if column.nullable { "yes" } else { "" };
        writeln!(text, "| `{}` | {} | {null} | {} |", column.name, kind(column.kind), column.about)?;
    }
    text.push_str("\n## Quality marks\n\n| bit | mark |\n|---|---|\n");
    for (mark, name) in Quality::NAMES {
        writeln!(text, "| {} | {name} |", mark.bits().trailing_zeros())?;
    }
    Ok(text)
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
