//! The column tables as Arrow and as Delta know them.
//!
//! Nothing here names a column but the partition: all follows from
//! [`Row::COLUMNS`](rahdar_model::column::Row::COLUMNS).

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use deltalake::kernel::{DataType as DeltaType, PrimitiveType, StructField};
use parquet::file::properties::WriterProperties;
use rahdar_model::FlowRecord;
use rahdar_model::column::{Column, Kind, Row};
use rahdar_model::fact::{Gap, Handshake, Resolution};

use crate::file;

/// The column that every table is partitioned by. Its value is in the folder's name, not in files.
pub(crate) const PARTITION: &str = "day";

/// A kind of record that the lake keeps.
pub(crate) trait Kept: Row {
    /// How its table looks.
    fn layout() -> &'static Layout;
}

macro_rules! kept {
    ($($t:ty),+) => {$(
        impl Kept for $t {
            fn layout() -> &'static Layout {
                static LAYOUT: LazyLock<Layout> = LazyLock::new(Layout::of::<$t>);
                &LAYOUT
            }
        }
    )+};
}
kept!(FlowRecord, Resolution, Handshake, Gap);

/// How one table looks.
pub(crate) struct Layout {
    /// Its name, and its folder in the lake.
    pub(crate) name: &'static str,
    /// One row of it; the name of the stored rows in plans.
    pub(crate) row: &'static str,
    /// The column of the time that a row belongs to.
    pub(crate) time: &'static str,
    /// Every column, the partition first.
    pub(crate) columns: Vec<Shape>,
    /// The columns of files.
    pub(crate) file_schema: SchemaRef,
    /// The columns as scans see them: those of files, then the partition.
    pub(crate) table_schema: TableSchema,
    /// How files are written.
    pub(crate) properties: WriterProperties,
    /// Where sessions find the folder of the table.
    pub(crate) url: ObjectStoreUrl,
}

/// One column, whatever its record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
    about: &'static str,
}

impl Layout {
    fn of<R: Row>() -> Self {
        let shape = |column: &Column<R>| Shape {
            name: column.name,
            kind: column.kind,
            nullable: column.nullable,
            about: column.about,
        };
        let columns: Vec<Shape> = R::COLUMNS.iter().map(shape).collect();
        let (partition, in_files): (Vec<Shape>, Vec<Shape>) =
            columns.iter().copied().partition(|column| column.name == PARTITION);
        let file_schema = Arc::new(Schema::new(in_files.iter().map(field).collect::<Vec<_>>()));
        let partition: Vec<_> = partition.iter().map(|column| Arc::new(field(column))).collect();
        Self {
            name: R::TABLE,
            row: R::ROW,
            time: R::TIME,
            columns,
            table_schema: TableSchema::builder(file_schema.clone())
                .with_table_partition_cols(partition)
                .build(),
            file_schema,
            properties: file::properties(&in_files),
            url: ObjectStoreUrl::parse(format!("lake://{}", R::TABLE))
                .expect("it is a scheme and a host, as the parser wants"),
        }
    }

    /// The columns that are in files, in order.
    pub(crate) fn file_columns(&self) -> impl Iterator<Item = &Shape> {
        self.columns.iter().filter(|column| column.name != PARTITION)
    }

    /// The columns as the Delta log records them, each with its meaning as comment.
    pub(crate) fn delta_columns(&self) -> impl Iterator<Item = StructField> {
        self.columns.iter().map(|column| {
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
}

/// The columns of `R` that are in files, in order.
pub(crate) fn file_columns<R: Row>() -> impl Iterator<Item = &'static Column<R>> {
    R::COLUMNS.iter().filter(|column| column.name != PARTITION)
}

fn field(column: &Shape) -> Field {
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
