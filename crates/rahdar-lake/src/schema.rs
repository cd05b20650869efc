//! The column table as Arrow and as Delta know it.
//!
//! Nothing here names a column but the partition: all follows from
//! [`COLUMNS`](rahdar_model::column::COLUMNS).

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::datasource::table_schema::TableSchema;
use deltalake::kernel::{DataType as DeltaType, PrimitiveType, StructField};
use rahdar_model::column::{COLUMNS, Column, Kind};

/// The column that the table is partitioned by. Its value is in the folder's name, not in files.
pub(crate) const PARTITION: &str = "day";

/// The columns that are in files, in order.
pub(crate) fn file_columns() -> impl Iterator<Item = &'static Column> {
    COLUMNS.iter().filter(|column| column.name != PARTITION)
}

/// The schema of files.
pub(crate) fn file_schema() -> &'static SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> =
        LazyLock::new(|| Arc::new(Schema::new(file_columns().map(field).collect::<Vec<_>>())));
    &SCHEMA
}

/// The schema as scans see it: the columns of files, then the partition.
pub(crate) fn table_schema() -> TableSchema {
    let partition: Vec<_> = COLUMNS
        .iter()
        .filter(|column| column.name == PARTITION)
        .map(|column| Arc::new(field(column)))
        .collect();
    TableSchema::builder(file_schema().clone()).with_table_partition_cols(partition).build()
}

/// The columns as the Delta log records them, each with its meaning as comment.
pub(crate) fn delta_columns() -> impl Iterator<Item = StructField> {
    COLUMNS.iter().map(|column| {
        let kind = match column.kind {
            Kind::Date => PrimitiveType::Date,
            Kind::Timestamp => PrimitiveType::Timestamp,
            Kind::Int16 => PrimitiveType::Short,
            Kind::Int32 => PrimitiveType::Integer,
            Kind::Int64 => PrimitiveType::Long,
            Kind::Text => PrimitiveType::String,
        };
        StructField::new(column.name, DeltaType::Primitive(kind), column.nullable)
            .with_metadata([("comment", column.about)])
    })
}

fn field(column: &Column) -> Field {
    let kind = match column.kind {
        Kind::Date => DataType::Date32,
        Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::Int16 => DataType::Int16,
        Kind::Int32 => DataType::Int32,
        Kind::Int64 => DataType::Int64,
        Kind::Text => DataType::Utf8,
    };
    Field::new(column.name, kind, column.nullable)
}
