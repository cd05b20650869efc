//! Records into the tables: buffered per day, written as files, made readable by one commit a table.
//!
//! Memory is bounded by [`FLOWS_BUFFERED`], [`FACTS_BUFFERED`] and [`FILES_IN_FLIGHT`]: about 300
//! octets a row, so 256 MiB at most. Files are encoded beside the decoder, on threads of the lake.
//!
//! **Order of the commits.** Facts first, flows last. Each table names the inputs whose rows it holds,
//! and refuses them a second time; an import counts as stored once the flows are. Killed in between,
//! facts of an input are there and its flows are not: the repeated import adds the flows and
//! passes over the facts. So each table holds each input once, and no fact is lost. One process at a
//! time goes through all four (`turn`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use deltalake::kernel::Add;
use rahdar_model::fact::{Fact, Gap, Handshake, Resolution};
use rahdar_model::sink::SinkError;
use rahdar_model::store::{Admission, Commit, Import, Input, StoreError};
use rahdar_model::time::Day;
use rahdar_model::{FlowRecord, FlowSink, Problem};
use tokio::task::JoinHandle;

use crate::Lake;
use crate::error::failed;
use crate::file::DataFile;
use crate::leftovers;
use crate::rows::{Rows, beyond_calendar};
use crate::schema::Kept;
use crate::table::{LOG, Table};
use crate::turn::{self, Held};

/// Flows held in memory before the fullest day is written. The more, the fewer and larger the
/// files of an input that jumps between days; chosen here to keep an import below 512 MiB
/// (`performance.md` §5 goal 9).
pub(crate) const FLOWS_BUFFERED: usize = 256 << 10;

/// The same for each kind of fact. Chosen here: there are fewer of them than flows.
pub(crate) const FACTS_BUFFERED: usize = 32 << 10;

/// Files of a table that are being encoded and written while the decoder goes on. One per core of
/// the smallest machine rahdar is made for.
const FILES_IN_FLIGHT: usize = 2;

/// Days that one import may touch: ten years. An archive is shorter; a hostile or broken clock
/// scatters its flows over centuries, and each day is a file.
const DAYS_PER_IMPORT: usize = 3_660;

/// An import into the lake.
pub(crate) struct LakeImport<'a> {
    lake: &'a Lake,
    _under_way: Held,
    admitted: bool,
    /// The inputs begun, whose flows are awaited.
    inputs: Vec<Input>,
    /// Whether any table held an input already.
    has_stored: bool,
    flows: Staged<FlowRecord>,
    resolutions: Staged<Resolution>,
    handshakes: Staged<Handshake>,
    gaps: Staged<Gap>,
    failed: bool,
}

impl<'a> LakeImport<'a> {
    pub(crate) fn open(lake: &'a Lake) -> Result<Self, StoreError> {
        let mut tidied = Ok(0);
        lake.tidied.call_once(|| tidied = leftovers::remove(lake));
        tidied?;
        let under_way = lake.wait(turn::to_import(&lake.folder(&lake.flows))).map_err(failed("importing"))?;
        let mut due = Vec::new();
        for table in lake.tables() {
            if lake.wait(table.look())? {
                due.push(table);
            }
        }
        if !due.is_empty() {
            let _turn = lake.turn();
            due.into_iter().try_for_each(|table| lake.wait(table.sum_up()))?;
        }
        Ok(Self {
            lake,
            _under_way: under_way,
            admitted: false,
            inputs: Vec::new(),
            has_stored: false,
            flows: Staged::new(&lake.flows, FLOWS_BUFFERED),
            resolutions: Staged::new(&lake.resolutions, FACTS_BUFFERED),
            handshakes: Staged::new(&lake.handshakes, FACTS_BUFFERED),
            gaps: Staged::new(&lake.gaps, FACTS_BUFFERED),
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

    fn check_begun(&self) -> Result<(), StoreError> {
        if self.admitted { Ok(()) } else { Err(failed("importing")("no new input was begun")) }
    }

    fn finish(&mut self) -> Result<Commit, StoreError> {
        let lake = self.lake;
        self.resolutions.finish(lake)?;
        self.handshakes.finish(lake)?;
        self.gaps.finish(lake)?;
        self.flows.finish(lake)?;
        if self.has_stored {
            self.settle()?;
        }
        if self.inputs.is_empty() {
            let version = lake.wait(lake.flows.version())?;
            return Ok(Commit { version, rows: 0 });
        }
        let _turn = lake.turn();
        self.resolutions.commit(lake)?;
        self.handshakes.commit(lake)?;
        self.gaps.commit(lake)?;
        self.flows.inputs = std::mem::take(&mut self.inputs);
        let version = self.flows.commit(lake)?;
        Ok(Commit { version, rows: self.flows.rows })
    }

    /// Puts on disk what others have named. Who stored an input may have died between giving the entry its
    /// name and syncing the folder; whoever says "stored" answers for it.
    fn settle(&self) -> Result<(), StoreError> {
        self.lake.tables().into_iter().try_for_each(|table| {
            let entry = self.lake.folder(table).join(LOG).join("entry");
            self.lake.folders.settle_parent(&entry).map_err(failed("importing"))
        })
    }
}

impl FlowSink for LakeImport<'_> {
    fn flow(&mut self, record: &FlowRecord) -> Result<(), SinkError> {
        self.once(|import| {
            import.check_begun()?;
            import.flows.take(import.lake, record)
        })
        .map_err(SinkError::new)
    }

    fn fact(&mut self, fact: Fact<'_>) -> Result<(), SinkError> {
        self.once(|import| {
            import.check_begun()?;
            match fact {
                Fact::Resolution(resolution) => import.resolutions.take(import.lake, resolution),
                Fact::Handshake(handshake) => import.handshakes.take(import.lake, handshake),
                Fact::Gap(gap) => import.gaps.take(import.lake, gap),
            }
        })
        .map_err(SinkError::new)
    }

    fn problem(&mut self, _problem: Problem) {}
}

impl Import for LakeImport<'_> {
    fn begin(&mut self, input: &Input) -> Result<Admission, StoreError> {
        self.once(|import| {
            let lake = import.lake;
            let begun = import.inputs.iter().any(|other| other.id == input.id);
            import.admitted = !begun && !lake.wait(lake.flows.holds(input));
            if !import.admitted {
                import.has_stored = true;
                return Ok(Admission::Stored);
            }
            import.inputs.push(input.clone());
            import.flows.begin(lake, input);
            import.resolutions.begin(lake, input);
            import.handshakes.begin(lake, input);
            import.gaps.begin(lake, input);
            import.has_stored |=
                !(import.resolutions.admitted && import.handshakes.admitted && import.gaps.admitted);
            Ok(Admission::New)
        })
    }

    fn withdraw(&mut self) -> bool {
        let begun = std::mem::take(&mut self.admitted);
        let is_untouched = [
            self.flows.withdraw(),
            self.resolutions.withdraw(),
            self.handshakes.withdraw(),
            self.gaps.withdraw(),
        ];
        if begun {
            self.inputs.pop();
        }
        self.failed |= is_untouched.contains(&false);
        !self.failed
    }

    fn flows(&self) -> u64 {
        self.flows.rows
    }

    fn commit(mut self: Box<Self>) -> Result<Commit, StoreError> {
        self.once(Self::finish)
    }
}

impl Drop for LakeImport<'_> {
    fn drop(&mut self) {
        self.flows.discard(self.lake);
        self.resolutions.discard(self.lake);
        self.handshakes.discard(self.lake);
        self.gaps.discard(self.lake);
    }
}

/// What an import has taken for one table.
struct Staged<R: Kept> {
    table: Arc<Table>,
    /// Rows held in memory at most.
    most: usize,
    /// The input at hand, until its first row comes.
    begun: Option<Input>,
    /// Whether rows of the input at hand are taken: the table does not hold them yet.
    admitted: bool,
    /// The inputs whose rows are here.
    inputs: Vec<Input>,
    days: BTreeMap<Day, Rows<R>>,
    buffered: usize,
    in_flight: VecDeque<JoinHandle<Result<Add, StoreError>>>,
    written: Vec<Add>,
    rows: u64,
}

impl<R: Kept> Staged<R> {
    fn new(table: &Arc<Table>, most: usize) -> Self {
        Self {
            table: table.clone(),
            most,
            begun: None,
            admitted: false,
            inputs: Vec::new(),
            days: BTreeMap::new(),
            buffered: 0,
            in_flight: VecDeque::new(),
            written: Vec::new(),
            rows: 0,
        }
    }

    fn begin(&mut self, lake: &Lake, input: &Input) {
        self.admitted = !lake.wait(self.table.holds(input));
        self.begun = self.admitted.then(|| input.clone());
    }

    /// Forgets the input at hand; false if a row of it came.
    fn withdraw(&mut self) -> bool {
        let was_admitted = std::mem::take(&mut self.admitted);
        self.begun.take().is_some() == was_admitted
    }

    fn take(&mut self, lake: &Lake, record: &R) -> Result<(), StoreError> {
        if !self.admitted {
            return Ok(());
        }
        check_times(record)?;
        self.inputs.extend(self.begun.take());
        let day = record.time().day();
        if !self.days.contains_key(&day) && self.days.len() == DAYS_PER_IMPORT {
            return Err(StoreError::Limit {
                limit: "days of one import",
                detail: format!(
                    "{} is of {day}, after {DAYS_PER_IMPORT} other days; check the exporter's clock, or \
                     import fewer files at once",
                    record.origin()
                ),
            });
        }
        let rows = self.days.entry(day).or_insert_with(Rows::new);
        rows.push(record).map_err(failed("collecting rows"))?;
        self.rows += 1;
        self.buffered += 1;
        if self.buffered == self.most { self.write_fullest_day(lake) } else { Ok(()) }
    }

    fn write_fullest_day(&mut self, lake: &Lake) -> Result<(), StoreError> {
        let fullest = self.days.iter().max_by_key(|(_, rows)| rows.len()).map(|(day, _)| *day);
        fullest.map_or(Ok(()), |day| self.write(lake, day))
    }

    /// Begins to write the rows of a day, and forgets them.
    fn write(&mut self, lake: &Lake, day: Day) -> Result<(), StoreError> {
        let Some(rows) = self.days.insert(day, Rows::new()) else { return Ok(()) };
        if rows.len() == 0 {
            return Ok(());
        }
        self.buffered -= rows.len();
        if self.in_flight.len() == FILES_IN_FLIGHT {
            self.await_oldest_file(lake)?;
        }
        let encoded = lake.runtime.runtime().spawn_blocking(move || {
            let rows = rows.into_columns().map_err(failed("encoding rows"))?;
            DataFile::encode(R::layout(), day, rows).map_err(failed("encoding rows"))
        });
        let table = self.table.clone();
        self.in_flight.push_back(lake.runtime.runtime().spawn(async move {
            let file = encoded.await.map_err(failed("encoding rows"))??;
            table.write(file).await
        }));
        Ok(())
    }

    fn await_oldest_file(&mut self, lake: &Lake) -> Result<(), StoreError> {
        if let Some(file) = self.in_flight.pop_front() {
            let written = lake.wait(file).map_err(failed("writing rows"))?;
            self.written.push(written?);
        }
        Ok(())
    }

    /// Writes what is still in memory.
    fn finish(&mut self, lake: &Lake) -> Result<(), StoreError> {
        let days: Vec<Day> = self.days.keys().copied().collect();
        for day in days {
            self.write(lake, day)?;
        }
        while !self.in_flight.is_empty() {
            self.await_oldest_file(lake)?;
        }
        Ok(())
    }

    /// Makes the rows readable; returns the version that holds them.
    fn commit(&mut self, lake: &Lake) -> Result<u64, StoreError> {
        if self.inputs.is_empty() {
            return lake.wait(self.table.version());
        }
        let adds = std::mem::take(&mut self.written);
        match lake.wait(self.table.commit(adds.clone(), &self.inputs)) {
            Err(raced @ StoreError::Raced { .. }) => {
                self.written = adds;
                Err(raced)
            }
            // Where it failed, the entry may be in the log although the disk did not say so: the
            // files must stay.
            done => done,
        }
    }

    /// Removes what was written and will never be read. A file that cannot be removed takes
    /// space and does no other harm, so failure is no error here.
    fn discard(&mut self, lake: &Lake) {
        while !self.in_flight.is_empty() {
            let _ = self.await_oldest_file(lake);
        }
        if !self.written.is_empty() {
            let _ = lake.wait(self.table.discard(&self.written));
        }
    }
}

/// Refuses a record with a time that the tables cannot hold.
fn check_times<R: Kept>(record: &R) -> Result<(), StoreError> {
    match beyond_calendar(record) {
        None => Ok(()),
        Some((column, time)) => Err(StoreError::Limit {
            limit: "the calendar of the tables",
            detail: format!("`{}` of {} is {time}, outside of years 1 to 9999", column.name, record.origin()),
        }),
    }
}
