//! SQL for analysts: one question over the views `flows`, `resolutions`, `handshakes` and `gaps`,
//! read-only and bounded.
//!
//! A view has every stored column of its table under its name, and some that are worked out: each
//! address as text before its halves (`src`, `dst`, `client`, `server`, `answer`), and
//! `quality_names`, the marks in words. `community_id` is what the source said, or else is worked
//! out: storing one per flow would double the table. Three functions go with them:
//!
//! * `in_cidr(src_hi, src_lo, '192.0.2.0/24')`: whether an address is in a network, or is that
//!   address.
//! * `ip_text(src_hi, src_lo)`: an address as text.
//! * `ip('192.0.2.1')`: its stored halves, as `ip('192.0.2.1')['hi']` and `['lo']`.
//!
//! A query sees one version of each table, can name nothing else, and writes nothing, not even to
//! a temporary file.

mod community_id;
mod functions;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::functions::expr_fn::coalesce;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{DataFrame, Expr, SQLOptions, SessionContext, col};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use futures::TryStreamExt;
use rahdar_model::Window;
use rahdar_model::store::{Cell, QueryLimits, StoreError, Table};
use rahdar_model::time::{Day, Timestamp};

use crate::error::failed;
use crate::scan::Scan;
use crate::schema::Layout;
use crate::table::Snapshot;
use crate::{Lake, damage};
use functions::{community_id_of, in_cidr, ip, ip_text, quality_names};

/// The longest query. Chosen here: nobody writes one of a megabyte by hand, and planning is not
/// bounded in memory.
const QUERY_OCTETS: usize = 1 << 20;

const ACTION: &str = "running the query";

/// The columns that a Community ID is worked out of.
const COMMUNITY_ID_OF: [&str; 9] =
    ["src_hi", "src_lo", "dst_hi", "dst_lo", "protocol", "src_port", "dst_port", "icmp_type", "icmp_code"];

pub(crate) fn query(lake: &Lake, sql: &str, limits: QueryLimits) -> Result<Table, StoreError> {
    if sql.len() > QUERY_OCTETS {
        return Err(StoreError::Limit {
            limit: "length of a query",
            detail: format!("it has {} octets, {QUERY_OCTETS} are allowed", sql.len()),
        });
    }
    let snapshots: Vec<_> =
        lake.tables().into_iter().map(|table| lake.snapshot(table)).collect::<Result<_, _>>()?;
    lake.wait(async {
        let running = run(lake, &snapshots, sql, limits);
        tokio::time::timeout(limits.time, running).await.unwrap_or_else(|_| {
            Err(StoreError::Limit {
                limit: "time of a query",
                detail: format!(
                    "it took more than {} s; ask for a shorter time, or raise --timeout",
                    limits.time.as_secs()
                ),
            })
        })
    })
}

async fn run(
    lake: &Lake,
    snapshots: &[Arc<Snapshot>],
    sql: &str,
    limits: QueryLimits,
) -> Result<Table, StoreError> {
    let refused = |cause: DataFusionError| StoreError::Query(cause.strip_backtrace());
    let failing = |cause: DataFusionError| match cause.find_root() {
        DataFusionError::ResourcesExhausted(_) => StoreError::Limit {
            limit: "memory of a query",
            detail: format!(
                "it needs more than {} MiB; ask for fewer rows or groups, or raise --max-memory",
                limits.memory >> 20
            ),
        },
        DataFusionError::ObjectStore(_) | DataFusionError::ParquetError(_) | DataFusionError::IoError(_) => {
            let read: Vec<_> = snapshots.iter().map(|snapshot| (snapshot.as_ref(), Window::ALL)).collect();
            damage::of_data(ACTION, cause, &read)
        }
        // What is left is in the question: a division by zero, a text that is no number.
        _ => StoreError::Query(cause.strip_backtrace()),
    };

    let session = lake.engine.bounded_session(limits.memory).map_err(failed(ACTION))?;
    for function in [ip(), ip_text(), in_cidr()] {
        session.register_udf(function);
    }
    for snapshot in snapshots {
        let rows = session.read_table(Arc::new(Scan::of(snapshot, Window::ALL))).map_err(failed(ACTION))?;
        let view = view(snapshot.layout, rows).map_err(failed(ACTION))?;
        session.register_table(snapshot.layout.name, view.into_view()).map_err(failed(ACTION))?;
    }

    let plan = plan(&session, sql).await.map_err(refused)?;
    let answer = DataFrame::new(session.state(), plan);
    let columns = answer.schema().fields().iter().map(|field| field.name().clone()).collect();
    let taken = MemoryConsumer::new("answer").register(&session.runtime_env().memory_pool);
    let mut batches = damage::survive(answer.execute_stream()).await.map_err(failing)?;
    let mut rows = Vec::new();
    while let Some(batch) = damage::survive(batches.try_next()).await.map_err(failing)? {
        if rows.len() + batch.num_rows() > limits.rows {
            return Err(StoreError::Limit {
                limit: "rows of an answer",
                detail: format!(
                    "there are more than {}; add LIMIT, count instead of listing, or raise --max-rows",
                    limits.rows
                ),
            });
        }
        let cells = batch.num_rows() * batch.num_columns() * size_of::<Cell>();
        taken.try_grow(cells + batch.get_array_memory_size()).map_err(failing)?;
        append(&batch, &mut rows).map_err(failed(ACTION))?;
    }
    Ok(Table { columns, rows })
}

/// The plan of a text that is one `SELECT`, `WITH … SELECT` or `EXPLAIN` of one.
async fn plan(session: &SessionContext, sql: &str) -> Result<LogicalPlan> {
    let state = session.state();
    let dialect = state.config_options().sql_parser.dialect;
    let statement = state.sql_to_statement(sql, &dialect)?;
    if !is_question(&statement) {
        return Err(DataFusionError::Plan(
            "only one SELECT over the views of the lake is allowed".to_owned(),
        ));
    }
    let plan = state.statement_to_plan(statement).await?;
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)?;
    Ok(plan)
}

fn is_question(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(statement) => matches!(**statement, ast::Statement::Query(_)),
        Statement::Explain(explain) => is_question(&explain.statement),
        _ => false,
    }
}

/// The stored columns in their order, addresses as text before their halves, marks in words after
/// their bits.
fn view(layout: &Layout, rows: DataFrame) -> Result<DataFrame> {
    let mut columns: Vec<Expr> = Vec::new();
    for column in &layout.columns {
        if let Some(end) = column.name.strip_suffix("_hi") {
            let lower = format!("{end}_lo");
            columns.push(ip_text().call(vec![col(column.name), col(lower)]).alias(end));
        }
        match column.name {
            "community_id" => {
                let worked_out = community_id_of().call(COMMUNITY_ID_OF.map(col).into());
                columns.push(coalesce(vec![col(column.name), worked_out]).alias(column.name));
            }
            "quality" => {
                columns.push(col(column.name));
                columns.push(quality_names().call(vec![col(column.name)]).alias("quality_names"));
            }
            _ => columns.push(col(column.name)),
        }
    }
    rows.select(columns)
}

fn append(batch: &RecordBatch, rows: &mut Vec<Vec<Cell>>) -> Result<(), ArrowError> {
    let columns: Vec<Vec<Cell>> = batch.columns().iter().map(cells).collect::<Result<_, _>>()?;
    let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
    for _ in 0..batch.num_rows() {
        rows.push(columns.iter_mut().map(|column| column.next().unwrap_or(Cell::Null)).collect());
    }
    Ok(())
}

/// A column as cells. What is neither condition, number, text nor time is shown as Arrow shows it.
fn cells(array: &ArrayRef) -> Result<Vec<Cell>, ArrowError> {
    let kind = array.data_type();
    let numbers = |array: &ArrayRef| {
        cast(array, &DataType::Int64).map(|array| array.as_primitive::<Int64Type>().clone())
    };
    Ok(match kind {
        DataType::Null => vec![Cell::Null; array.len()],
        DataType::Boolean => filled(array.as_boolean().iter(), Cell::Bool),
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => filled(numbers(array)?.iter(), Cell::Int),
        DataType::UInt64 => {
            let cell = |n| i64::try_from(n).map_or(Cell::Float(n as f64), Cell::Int);
            filled(array.as_primitive::<arrow::datatypes::UInt64Type>().iter(), cell)
        }
        _ if kind.is_floating() || kind.is_decimal() => {
            let array = cast(array, &DataType::Float64)?;
            let cell = |x: f64| if x.is_finite() { Cell::Float(x) } else { Cell::Null };
            filled(array.as_primitive::<Float64Type>().iter(), cell)
        }
        DataType::Timestamp(_, _) => {
            let array = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
            let text = |us| Cell::Text(Timestamp::from_micros(us).to_string());
            filled(numbers(&array)?.iter(), text)
        }
        DataType::Date32 => {
            let days = array.as_primitive::<arrow::datatypes::Date32Type>();
            filled(days.iter(), |day| Cell::Text(Day(day).to_string()))
        }
        _ => {
            let format = ArrayFormatter::try_new(array, &FormatOptions::default().with_display_error(true))?;
            let cell = |row| match array.is_null(row) {
                true => Cell::Null,
                false => Cell::Text(format.value(row).to_string()),
            };
            (0..array.len()).map(cell).collect()
        }
    })
}

fn filled<T>(values: impl Iterator<Item = Option<T>>, cell: impl Fn(T) -> Cell) -> Vec<Cell> {
    values.map(|value| value.map_or(Cell::Null, &cell)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rahdar_model::Quality;
    use rahdar_model::fact::{Gap, Handshake, Resolution};
    use rahdar_model::flow::FlowRecord;
    use rahdar_model::store::FlowStore;
    use rahdar_testkit::flow;

    use super::*;
    use crate::crash::lake_of;
    use crate::schema::Kept;

    fn ask(sql: &str) -> Result<Table, StoreError> {
        ask_within(sql, QueryLimits::default())
    }

    fn ask_within(sql: &str, limits: QueryLimits) -> Result<Table, StoreError> {
        let flows: Vec<FlowRecord> = vec![
            flow("192.0.2.1:5 > 203.0.113.9:443").at("2021-08-15T12:00:00.25Z").sent(1, 40).build(),
            flow("[2001:db8::1]:53 > 203.0.113.9:443")
                .at("2021-08-16T00:00:00Z")
                .marked(Quality::RATE_UNKNOWN | Quality::MIDSTREAM)
                .build(),
        ];
        let (_folder, lake) = lake_of(&flows);
        lake.query(sql, limits)
    }

    fn check(sql: &str, expected: &[&[Cell]]) {
        let answer = ask(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(answer.rows, expected, "{sql}");
    }

    fn refused(sql: &str) {
        let error = ask(sql).unwrap_err();
        assert!(matches!(error, StoreError::Query(_)), "{sql}: {error:?}");
    }

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    #[test]
    fn the_view_shows_addresses_times_and_marks_as_text() {
        check(
            "SELECT day, start_time, src, dst, octets, quality_names, sampling_source, rev_octets \
             FROM flows ORDER BY start_time",
            &[
                &[
                    text("2021-08-15"),
                    text("2021-08-15T12:00:00.25Z"),
                    text("192.0.2.1"),
                    text("203.0.113.9"),
                    Cell::Int(40),
                    text(""),
                    text("assumed"),
                    Cell::Null,
                ],
                &[
                    text("2021-08-16"),
                    text("2021-08-16T00:00:00Z"),
                    text("2001:db8::1"),
                    text("203.0.113.9"),
                    Cell::Int(1_000),
                    text("rate unknown, midstream"),
                    text("assumed"),
                    Cell::Null,
                ],
            ],
        );
    }

    #[test]
    fn every_stored_column_is_in_its_view() {
        fn check<R: Kept>(more: usize) {
            let names = ask(&format!("SELECT * FROM {} LIMIT 0", R::TABLE)).unwrap().columns;
            for column in R::COLUMNS {
                assert!(names.iter().any(|name| name == column.name), "{}.{}", R::TABLE, column.name);
            }
            assert_eq!(names.len(), R::COLUMNS.len() + more, "{}", R::TABLE);
        }
        check::<FlowRecord>(3);
        check::<Resolution>(3);
        check::<Handshake>(2);
        check::<Gap>(0);
    }

    #[test]
    fn every_flow_has_a_community_id() {
        let id = text("1:85bHMaGC0aixt8cXJ8590R25Lvs=");
        check("SELECT community_id FROM flows WHERE src = '192.0.2.1'", &[&[id]]);
    }

    #[test]
    fn addresses_are_found_by_text_and_by_network() {
        check("SELECT count(*) FROM flows WHERE src = '192.0.2.1'", &[&[Cell::Int(1)]]);
        check("SELECT src FROM flows WHERE in_cidr(src_hi, src_lo, '192.0.2.0/24')", &[&[text("192.0.2.1")]]);
        check("SELECT count(*) FROM flows WHERE in_cidr(dst_hi, dst_lo, '203.0.113.9')", &[&[Cell::Int(2)]]);
        check("SELECT ip_text(ip('2001:db8::1')['hi'], ip('2001:db8::1')['lo'])", &[&[text("2001:db8::1")]]);
        check("SELECT src_port FROM flows WHERE src_lo = ip('192.0.2.1')['lo']", &[&[Cell::Int(5)]]);
    }

    #[test]
    fn times_and_days_are_compared() {
        check("SELECT count(*) FROM flows WHERE start_time >= '2021-08-16'", &[&[Cell::Int(1)]]);
        check("SELECT count(*) FROM flows WHERE day = DATE '2021-08-15'", &[&[Cell::Int(1)]]);
        check("SELECT date_trunc('day', min(start_time)) FROM flows", &[&[text("2021-08-15T00:00:00Z")]]);
    }

    #[test]
    fn numbers_that_are_none_become_null() {
        check(
            "SELECT 1.5, 'nan'::DOUBLE, 1e308 * 10, 2::DECIMAL(10, 1), NULL, true, arrow_cast(7, 'UInt64')",
            &[&[
                Cell::Float(1.5),
                Cell::Null,
                Cell::Null,
                Cell::Float(2.0),
                Cell::Null,
                Cell::Bool(true),
                Cell::Int(7),
            ]],
        );
    }

    #[test]
    fn common_table_expressions_and_explain_are_questions_too() {
        check(
            "WITH big AS (SELECT * FROM flows WHERE octets > 100) SELECT count(*) FROM big",
            &[&[Cell::Int(1)]],
        );
        assert!(!ask("EXPLAIN SELECT * FROM flows").unwrap().rows.is_empty());
    }

    #[test]
    fn whatever_writes_or_reads_elsewhere_is_refused() {
        for sql in [
            "",
            "SELECT 1; SELECT 2",
            "DROP TABLE flows",
            "DROP VIEW flows",
            "CREATE TABLE t AS SELECT * FROM flows",
            "CREATE VIEW v AS SELECT * FROM flows",
            "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '/etc/passwd'",
            "COPY flows TO '/tmp/rahdar-copy.parquet'",
            "COPY (SELECT 1) TO '/tmp/rahdar-copy.csv'",
            "INSERT INTO flows SELECT * FROM flows",
            "DELETE FROM flows",
            "UPDATE flows SET octets = 0",
            "SELECT * INTO t FROM flows",
            "SET datafusion.execution.batch_size = 1",
            "EXPLAIN INSERT INTO flows SELECT * FROM flows",
            "EXPLAIN ANALYZE COPY flows TO '/tmp/rahdar-copy.parquet'",
            "PREPARE q AS SELECT 1",
            "BEGIN",
            "SHOW TABLES",
            "SELECT * FROM '/etc/passwd'",
            "SELECT * FROM read_csv('/etc/passwd')",
            "SELECT * FROM flow",
            "SELECT nothing FROM flows",
            "SELECT in_cidr(src_hi, src_lo, 'example.org') FROM flows",
            "SELECT 1 / (octets - octets) FROM flows",
        ] {
            refused(sql);
        }
    }

    #[test]
    fn a_limit_that_is_exceeded_is_named_with_its_flag() {
        let limits = QueryLimits::default();
        let check = |sql: &str, limits: QueryLimits, limit: &str, flag: &str| {
            let error = ask_within(sql, limits).unwrap_err();
            let text = error.to_string();
            assert!(matches!(error, StoreError::Limit { .. }), "{sql}: {error:?}");
            assert!(text.starts_with(limit) && text.ends_with(flag), "{text}");
        };
        check("SELECT * FROM flows", QueryLimits { rows: 1, ..limits }, "rows of an answer", "--max-rows");
        check(
            "SELECT value FROM generate_series(1, 100000) GROUP BY value ORDER BY value",
            QueryLimits { memory: 1 << 18, ..limits },
            "memory of a query",
            "--max-memory",
        );
        check(
            "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 1000000) b",
            QueryLimits { time: Duration::from_millis(50), ..limits },
            "time of a query",
            "--timeout",
        );
        let long = format!("SELECT '{}'", "x".repeat(QUERY_OCTETS));
        assert!(matches!(ask(&long), Err(StoreError::Limit { .. })));
    }
}
