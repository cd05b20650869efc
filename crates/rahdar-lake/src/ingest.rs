//! Flows into the table: buffered per day, written as files, made readable by one commit.
//!
//! Memory is bounded by [`BUFFERED_ROWS`] and [`FILES_IN_FLIGHT`]: about 300 octets a row, so
//! 256 MiB at most. Files are encoded beside the decoder, on threads of the lake.

use std::collections::{BTreeMap, VecDeque};

use deltalake::kernel::Add;
use rahdar_model::column::{COLUMNS, Kind, Value};
use rahdar_model::sink::SinkError;
use rahdar_model::store::{Admission, Commit, Import, Input, StoreError};
use rahdar_model::time::Day;
use rahdar_model::{FlowRecord, FlowSink, Problem, Timestamp};
use tokio::task::JoinHandle;

use crate::Lake;
use crate::batch::Rows;
use crate::error::failed;
use crate::file::DataFile;

/// Rows held in memory before the fullest day is written. The more, the fewer and larger the
/// files of an input that jumps between days; chosen here to keep an import below 512 MiB
/// (`performance.md` §5 goal 9).
const BUFFERED_ROWS: usize = 256 << 10;

/// Files that are being encoded and written while the decoder goes on. One per core of the
/// smallest machine rahdar is made for.
const FILES_IN_FLIGHT: usize = 2;

/// Days that one import may touch: ten years. An archive is shorter; a hostile or broken clock
/// scatters its flows over centuries, and each day is a file.
const DAYS_PER_IMPORT: usize = 3_660;

/// The times that a table can hold, 0001-01-01 to 9999-12-30: days outside have no name that all
/// engines read.
const TIMES: std::ops::Range<i64> = -62_135_596_800_000_000..253_402_214_400_000_000;

/// An import into the lake.
pub(crate) struct LakeImport<'a> {
    lake: &'a Lake,
    inputs: Vec<Input>,
    admitted: bool,
    days: BTreeMap<Day, Rows>,
    buffered: usize,
    in_flight: VecDeque<JoinHandle<Result<Add, StoreError>>>,
    written: Vec<Add>,
    flows: u64,
    failed: bool,
}

impl<'a> LakeImport<'a> {
    pub(crate) fn open(lake: &'a Lake) -> Result<Self, StoreError> {
        lake.wait(lake.table.prepare())?;
        Ok(Self {
            lake,
            inputs: Vec::new(),
            admitted: false,
            days: BTreeMap::new(),
            buffered: 0,
            in_flight: VecDeque::new(),
            written: Vec::new(),
            flows: 0,
            failed: false,
        })
    }

    /// Runs one call of the import; a failure is the last thing that happens to it.
    fn once<T>(&mut self, call: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.failed {
            return Err(failed("importing")("an earlier call of this import failed"));
        }
        call(self).inspect_err(|_| self.failed = true)
    }

    fn take(&mut self, record: &FlowRecord) -> Result<(), StoreError> {
        if !self.admitted {
            return Err(failed("importing")("no new input was begun"));
        }
        check_times(record)?;
        let day = record.start_time.day();
        if !self.days.contains_key(&day) && self.days.len() == DAYS_PER_IMPORT {
            return Err(StoreError::Limit {
                limit: "days of one import",
                detail: format!(
                    "record {} of `{}` starts on {day}, after {DAYS_PER_IMPORT} other days; check the \
                     exporter's clock, or import fewer files at once",
                    record.source_row, record.source
                ),
            });
        }
        self.days.entry(day).or_insert_with(Rows::new).push(record);
        self.flows += 1;
        self.buffered += 1;
        if self.buffered == BUFFERED_ROWS { self.write_fullest_day() } else { Ok(()) }
    }

    fn write_fullest_day(&mut self) -> Result<(), StoreError> {
        let fullest = self.days.iter().max_by_key(|(_, rows)| rows.len()).map(|(day, _)| *day);
        fullest.map_or(Ok(()), |day| self.write(day))
    }

    /// Begins to write the rows of a day, and forgets them.
    fn write(&mut self, day: Day) -> Result<(), StoreError> {
        let Some(rows) = self.days.insert(day, Rows::new()) else { return Ok(()) };
        if rows.len() == 0 {
            return Ok(());
        }
        self.buffered -= rows.len();
        if self.in_flight.len() == FILES_IN_FLIGHT {
            self.await_oldest_file()?;
        }
        let table = self.lake.table.clone();
        let encoded = self.lake.runtime.runtime().spawn_blocking(move || {
            let batch = rows.into_batch().map_err(failed("encoding flows"))?;
            DataFile::encode(day, &batch).map_err(failed("encoding flows"))
        });
        self.in_flight.push_back(self.lake.runtime.runtime().spawn(async move {
            let file = encoded.await.map_err(failed("encoding flows"))??;
            table.write(file).await
        }));
        Ok(())
    }

    fn await_oldest_file(&mut self) -> Result<(), StoreError> {
        if let Some(file) = self.in_flight.pop_front() {
            let written = self.lake.wait(file).map_err(failed("writing flows"))?;
            self.written.push(written?);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Commit, StoreError> {
        let days: Vec<Day> = self.days.keys().copied().collect();
        for day in days {
            self.write(day)?;
        }
        while !self.in_flight.is_empty() {
            self.await_oldest_file()?;
        }
        if self.inputs.is_empty() {
            let version = self.lake.wait(self.lake.table.newest())?.version;
            return Ok(Commit { version, rows: 0 });
        }
        let adds = std::mem::take(&mut self.written);
        let committed = self.lake.wait(self.lake.table.commit(adds.clone(), &self.inputs));
        match committed {
            Ok(version) => Ok(Commit { version, rows: self.flows }),
            Err(raced @ StoreError::Raced { .. }) => {
                self.written = adds;
                Err(raced)
            }
            // The entry may be in the log although the disk did not say so: the files must stay.
            Err(unknown) => Err(unknown),
        }
    }
}

impl FlowSink for LakeImport<'_> {
    fn flow(&mut self, record: &FlowRecord) -> Result<(), SinkError> {
        self.once(|import| import.take(record)).map_err(SinkError::new)
    }

    fn problem(&mut self, _problem: Problem) {}
}

impl Import for LakeImport<'_> {
    fn begin(&mut self, input: &Input) -> Result<Admission, StoreError> {
        self.once(|import| {
            let begun = import.inputs.iter().any(|other| other.id == input.id);
            import.admitted = !begun && !import.lake.wait(import.lake.table.holds(input));
            if !import.admitted {
                return Ok(Admission::Stored);
            }
            import.inputs.push(input.clone());
            Ok(Admission::New)
        })
    }

    fn flows(&self) -> u64 {
        self.flows
    }

    fn commit(mut self: Box<Self>) -> Result<Commit, StoreError> {
        self.once(Self::finish)
    }
}

impl Drop for LakeImport<'_> {
    /// Removes what was written and will never be read. A file that cannot be removed takes
    /// space and does no other harm, so failure is no error here.
    fn drop(&mut self) {
        while !self.in_flight.is_empty() {
            let _ = self.await_oldest_file();
        }
        if !self.written.is_empty() {
            let _ = self.lake.wait(self.lake.table.discard(&self.written));
        }
    }
}

fn check_times(record: &FlowRecord) -> Result<(), StoreError> {
    for column in COLUMNS.iter().filter(|column| column.kind == Kind::Timestamp) {
        match column.stored(record) {
            Value::Int(us) if !TIMES.contains(&us) => {
                return Err(StoreError::Limit {
                    limit: "the calendar of the flow table",
                    detail: format!(
                        "`{}` of record {} of `{}` is {}, outside of years 1 to 9999",
                        column.name,
                        record.source_row,
                        record.source,
                        Timestamp::from_micros(us)
                    ),
                });
            }
            _ => {}
        }
    }
    Ok(())
}
