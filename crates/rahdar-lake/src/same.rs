//! Columns that say the same in every row of a file.
//!
//! Half of the columns of flows do: what the protocol does not have, who exported, what was read. The parquet
//! crate encodes every row of them, page by page; here the dictionary holds the value, and one page says how
//! often it comes. Figures in `docs/decisions/0015-say-it-once.md`.
//!
//! Source: Apache Parquet, "Data Pages", "Dictionary Encoding" and "Run Length Encoding / Bit-Packing Hybrid".
//! The crate frames the pages and writes the footer.

use std::io::Write;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, PageType, Type};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::Result;
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder, PageEncodingStats};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use rahdar_model::column::Value;

use crate::file::BOUND_OCTETS;

/// Writes the next column of a row group: so many rows of this value.
pub(crate) fn append<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    column: ColumnDescPtr,
    value: Value<'_>,
    rows: u32,
) -> Result<()> {
    let kind = column.physical_type();
    let is_known = value != Value::Null;
    let encoding = if is_known { Encoding::RLE_DICTIONARY } else { Encoding::PLAIN };
    let dictionary = Page::DictionaryPage {
        buf: plain(kind, value).into(),
        num_values: 1,
        encoding: Encoding::PLAIN,
        is_sorted: true,
    };
    let data = Page::DataPage {
        buf: all(column.max_def_level() > 0, is_known, rows).into(),
        num_values: rows,
        encoding,
        def_level_encoding: Encoding::RLE,
        rep_level_encoding: Encoding::RLE,
        statistics: None,
    };

    let mut chunk = TrackedWrite::new(Vec::new());
    let mut writer = SerializedPageWriter::new(&mut chunk);
    let mut encodings = vec![Encoding::RLE, encoding];
    let mut used = Vec::new();
    if is_known {
        write(&mut writer, dictionary)?;
        encodings.push(Encoding::PLAIN);
        used.push((PageType::DICTIONARY_PAGE, Encoding::PLAIN));
    }
    used.push((PageType::DATA_PAGE, encoding));
    let (data_offset, data_octets) = write(&mut writer, data)?;
    let chunk = Bytes::from(chunk.into_inner()?);

    let nulls = if is_known { 0 } else { u64::from(rows) };
    let metadata = ColumnChunkMetaData::builder(column)
        .set_compression(Compression::UNCOMPRESSED)
        .set_encodings(encodings)
        .set_page_encoding_stats(
            used.into_iter()
                .map(|(page_type, encoding)| PageEncodingStats { page_type, encoding, count: 1 })
                .collect(),
        )
        .set_num_values(i64::from(rows))
        .set_total_compressed_size(chunk.len() as i64)
        .set_total_uncompressed_size(chunk.len() as i64)
        .set_dictionary_page_offset(is_known.then_some(0))
        .set_data_page_offset(data_offset)
        .set_statistics(statistics(kind, value, nulls))
        .build()?;
    let mut pages = OffsetIndexBuilder::new();
    pages.append_row_count(i64::from(rows));
    pages.append_offset_and_size(data_offset, data_octets);
    let closed = ColumnCloseResult {
        bytes_written: chunk.len() as u64,
        rows_written: u64::from(rows),
        metadata,
        bloom_filter: None,
        // The statistics say all: there is one page.
        column_index: None,
        offset_index: Some(pages.build()),
    };
    group.append_column(&chunk, closed)
}

/// Writes a page as it is; returns where it begins, and its octets with the header.
fn write(writer: &mut impl PageWriter, page: Page) -> Result<(i64, i32)> {
    let octets = page.buffer().len();
    let written = writer.write_page(CompressedPage::new(page, octets))?;
    Ok((written.offset as i64, written.compressed_size as i32))
}

/// The value as dictionaries have it; nothing of a null.
fn plain(kind: Type, value: Value<'_>) -> Vec<u8> {
    match value {
        Value::Null => Vec::new(),
        Value::Int(number) if kind == Type::INT32 => (number as i32).to_le_bytes().to_vec(),
        Value::Int(number) => number.to_le_bytes().to_vec(),
        Value::Text(text) => [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat(),
    }
}

/// The content of a page whose rows are all known, and the first of the dictionary, or all null.
fn all(is_nullable: bool, are_known: bool, rows: u32) -> Vec<u8> {
    let mut page = Vec::new();
    if is_nullable {
        let levels = run(rows, u8::from(are_known));
        page.extend((levels.len() as u32).to_le_bytes());
        page.extend(levels);
    }
    if are_known {
        const BITS: u8 = 1;
        page.push(BITS);
        page.extend(run(rows, 0));
    }
    page
}

/// A run of values that fit in one octet: its length, doubled, seven bits an octet, then the value.
fn run(length: u32, value: u8) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = u64::from(length) << 1;
    while rest >= 0x80 {
        octets.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    octets.extend([rest as u8, value]);
    octets
}

/// What the footer says of the column. Texts too long for bounds have none.
fn statistics(kind: Type, value: Value<'_>, nulls: u64) -> Statistics {
    let number = if let Value::Int(number) = value { Some(number) } else { None };
    match kind {
        Type::INT32 => {
            let bound = number.map(|number| number as i32);
            Statistics::int32(bound, bound, None, Some(nulls), false)
        }
        Type::INT64 => Statistics::int64(number, number, None, Some(nulls), false),
        _ => {
            let text = if let Value::Text(text) = value { Some(text) } else { None };
            let bound = text.filter(|text| text.len() <= BOUND_OCTETS).map(ByteArray::from);
            Statistics::byte_array(bound.clone(), bound, None, Some(nulls), false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_its_length_and_its_value() {
        assert_eq!(run(1, 1), [2, 1]);
        assert_eq!(run(63, 0), [126, 0]);
        assert_eq!(run(2_000, 1), [0xA0, 0x1F, 1]);
        assert_eq!(run(u32::MAX, 1), [0xFE, 0xFF, 0xFF, 0xFF, 0x1F, 1]);
    }
}
