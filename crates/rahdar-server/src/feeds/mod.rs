//! What others publish, fetched into the book: TAXII 2.1 collections, MISP feeds, lists.
//!
//! In reading order:
//!
//! * [`Feed`]: an entry of the operator. Without one, nothing is ever asked.
//! * [`FeedSync`]: one feed after the other, each from where the book says that it was read to.
//! * [`every`]: again and again.
//! * `fetch`: one question, asked again with ever longer waits.
//! * `taxii`, `misp`: what to ask next, and what to make of an answer.
//!
//! What is read and how far it was read are recorded in one transaction: a sync that is killed at any moment
//! loses nothing, and doubles nothing.

mod entry;
mod fetch;
mod misp;
mod taxii;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use rahdar_intel::book::{Book, BookError, ImportedFile, Reached};
use rahdar_intel::index::{Live, Snapshot};
use rahdar_intel::reading::{ReadError, Reading};
use rahdar_intel::{ReadOptions, listing};
use rahdar_model::Clock;
use reqwest::Url;
use thiserror::Error;

use crate::outbound::guard::{Guard, SystemLookup, shown};
use crate::outbound::{Answer, Ask, Known, Limits, Outbound, OutboundError, Refused};
use crate::server::Stop;
use entry::Kind;
pub use entry::{Feed, FeedsError};
use fetch::Fetch;

/// Failures that follow each other before a MISP feed is left for this time; chosen here: it is down.
const FAILURES_MAX: usize = 5;

/// Reads a variable of the environment.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Fetches feeds into a book.
pub struct FeedSync<'a> {
    /// Where what is read goes.
    pub book: &'a dyn Book,
    /// What the book says. It is read when the book has gone on, not for each feed.
    pub live: &'a Live,
    /// When it is.
    pub clock: &'a dyn Clock,
    /// Where secrets may lie.
    pub environment: Environment<'a>,
    /// Ends a sync between two questions.
    pub stop: &'a Stop,
}

/// What became of a feed.
#[derive(Debug, Default)]
pub struct Synced {
    /// Questions that were answered.
    pub answers: usize,
    /// Claims in what was read.
    pub claims: usize,
    /// Claims and facts that the book did not have.
    pub added: usize,
    /// Texts refused.
    pub refused: usize,
    /// The version of the book that holds it.
    pub version: u64,
    /// Why it was not read, or not to its end. What was read before is recorded.
    pub failures: Vec<Box<dyn Error + Send + Sync>>,
}

/// Why a feed, or a part of it, was not read.
#[derive(Debug, Error)]
pub(crate) enum FeedError {
    #[error(transparent)]
    Entry(#[from] FeedsError),
    #[error(transparent)]
    Refused(Refused),
    #[error(transparent)]
    Unanswered(OutboundError),
    #[error("`{url}` refused access (status {status}): check the entry's credentials")]
    Credentials { url: String, status: u16 },
    #[error("`{url}` answers with status {status}")]
    Status { url: String, status: u16 },
    #[error("`{url}` asks to come back in {seconds} seconds")]
    Later { url: String, seconds: u64 },
    #[error("`{url}` cannot be read")]
    Content {
        url: String,
        #[source]
        cause: ReadError,
    },
    #[error("the manifest names more than {most} events")]
    TooManyEvents { most: usize },
    #[error("{0} entries of the manifest have no valid event id")]
    StrangeIds(usize),
    #[error("stopped")]
    Stopped,
}

impl From<OutboundError> for FeedError {
    fn from(error: OutboundError) -> Self {
        match error {
            OutboundError::Refused(refused) => Self::Refused(refused),
            other => Self::Unanswered(other),
        }
    }
}

impl FeedError {
    /// Whether there is no use in asking this feed for anything else.
    fn ends_feed(&self) -> bool {
        !matches!(self, Self::Status { .. } | Self::Content { .. })
    }
}

impl FeedSync<'_> {
    /// Reads what is new in a feed. A failure is part of what comes back; other feeds are not touched by it.
    ///
    /// # Errors
    /// [`BookError`], which concerns all feeds.
    pub fn feed(&self, feed: &Feed) -> Result<Synced, BookError> {
        let book = self.live.refresh(self.book)?;
        let mut reading = Running {
            sync: self,
            feed,
            known: self.book.reached(feed.name())?,
            synced: Synced { version: book.version(), ..Synced::default() },
            book,
        };
        let guard = Guard::new(feed.allowed(), reading.book.clone(), Box::new(SystemLookup));
        let fetch = feed.credentials(self.environment).map_err(FeedError::from).and_then(|credentials| {
            let outbound = Outbound::new(guard, credentials, Limits::default())?;
            Ok(Fetch { outbound, clock: self.clock, stop: self.stop })
        });
        match fetch {
            Ok(fetch) => match feed.kind() {
                Kind::Taxii => reading.taxii(&fetch)?,
                Kind::Misp => reading.misp(&fetch)?,
                Kind::List => reading.list(&fetch)?,
            },
            Err(error) => reading.fail(error),
        }
        Ok(reading.synced)
    }
}

/// A feed that is being read.
struct Running<'a> {
    sync: &'a FeedSync<'a>,
    feed: &'a Feed,
    /// The book as it was before.
    book: Arc<Snapshot>,
    /// How far each part was read.
    known: std::collections::BTreeMap<String, String>,
    synced: Synced,
}

impl Running<'_> {
    fn taxii(&mut self, fetch: &Fetch<'_>) -> Result<(), BookError> {
        let known = std::mem::take(&mut self.known);
        let mut walk = taxii::Walk::new(self.feed.url().clone(), self.feed.collections(), known);
        while let Some(ask) = walk.ask() {
            let (batch, is_over) = match self.get(fetch, &ask) {
                Ok(answer) => (walk.answer(&answer), false),
                Err(error) => {
                    let is_over = error.ends_feed();
                    self.fail(error);
                    (walk.give_up(), is_over)
                }
            };
            if let Some(batch) = batch {
                let name = format!("{}/{}", self.feed.name(), batch.name);
                self.take(&name, batch.text.as_bytes(), &batch.part, &batch.position)?;
            }
            if is_over {
                return Ok(());
            }
        }
        for fault in walk.faults() {
            self.synced.failures.push(fault.into());
        }
        Ok(())
    }

    fn misp(&mut self, fetch: &Fetch<'_>) -> Result<(), BookError> {
        let manifest = misp::manifest(self.feed.url());
        let events = match self.get(fetch, &ask(&manifest, Known::default())) {
            Ok(answer) => manifest_of(&manifest, &answer),
            Err(error) => Err(error),
        };
        let wanted = match events.and_then(|events| misp::wanted(&manifest, events, &self.known)) {
            Ok((wanted, 0)) => wanted,
            Ok((wanted, strange)) => {
                self.fail(FeedError::StrangeIds(strange));
                wanted
            }
            Err(error) => {
                self.fail(error);
                return Ok(());
            }
        };
        let mut failures = 0;
        for event in wanted {
            match self.get(fetch, &ask(&event.url, Known::default())) {
                Ok(answer) => {
                    failures = 0;
                    let name = format!("{}/{}.json", self.feed.name(), event.id);
                    self.take(&name, &answer.body, &event.id, &event.position)?;
                }
                Err(error) => {
                    failures += 1;
                    let is_over = error.ends_feed() || failures == FAILURES_MAX;
                    self.fail(error);
                    if is_over {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn list(&mut self, fetch: &Fetch<'_>) -> Result<(), BookError> {
        let url = self.feed.url();
        let part = url.to_string();
        let known: Known =
            self.known.get(&part).and_then(|known| serde_json::from_str(known).ok()).unwrap_or_default();
        let answer = match self.get(fetch, &ask(url, known)) {
            Ok(answer) if answer.status == 304 => return Ok(()),
            Ok(answer) => answer,
            Err(error) => {
                self.fail(error);
                return Ok(());
            }
        };
        let file = url.path_segments().and_then(|mut path| path.next_back()).unwrap_or_default();
        let name = format!("{}/{file}", self.feed.name());
        let position = serde_json::to_string(&answer.known).unwrap_or_default();
        let Some(reading) = self.read(&name, &answer.body) else { return Ok(()) };
        let now = self.sync.clock.now();
        let changes = listing::changes(&format!("{} {part}", self.feed.name()), reading, &self.book, now);
        // The same list at another time says something else: since when, and until when.
        let octets = [now.to_string().as_bytes(), &answer.body].concat();
        self.record(&name, &octets, Some(&changes), &part, &position)
    }

    fn get(&mut self, fetch: &Fetch<'_>, ask: &Ask) -> Result<Answer, FeedError> {
        let answer = fetch.get(ask)?;
        self.synced.answers += 1;
        Ok(answer)
    }

    /// Reads a part of the feed and records it. What cannot be read is a failure, and asked for again next time;
    /// what holds nothing of use is not.
    fn take(&mut self, name: &str, octets: &[u8], part: &str, position: &str) -> Result<(), BookError> {
        match rahdar_intel::read(name, octets, self.feed.options()) {
            Ok(reading) => self.record(name, octets, Some(&reading), part, position),
            Err(ReadError::Nothing) => self.record(name, octets, None, part, position),
            Err(cause) => {
                self.fail(FeedError::Content { url: name.to_owned(), cause });
                Ok(())
            }
        }
    }

    /// Reads a list. One without an entry says nothing: a feed that failed for a day accuses nobody of leaving.
    fn read(&mut self, name: &str, octets: &[u8]) -> Option<Reading> {
        match rahdar_intel::read(name, octets, self.feed.options()) {
            Ok(reading) => Some(reading),
            Err(cause) => {
                self.fail(FeedError::Content { url: shown(self.feed.url()), cause });
                None
            }
        }
    }

    fn record(
        &mut self,
        name: &str,
        octets: &[u8],
        reading: Option<&Reading>,
        part: &str,
        position: &str,
    ) -> Result<(), BookError> {
        let options: &ReadOptions = self.feed.options();
        let file = ImportedFile::new(name, octets, options, self.sync.clock.now());
        let reached = Reached {
            feed: self.feed.name().to_owned(),
            part: part.to_owned(),
            position: position.to_owned(),
        };
        let recorded = self.sync.book.record_from(&file, reading, &reached)?;
        self.synced.version = recorded.version;
        self.synced.added += recorded.added;
        self.synced.claims += reading.map_or(0, |reading| reading.claims.len());
        self.synced.refused += reading.map_or(0, |reading| reading.refused_count);
        Ok(())
    }

    fn fail(&mut self, error: FeedError) {
        self.synced.failures.push(error.into());
    }
}

fn ask(url: &Url, known: Known) -> Ask {
    Ask { url: url.clone(), accept: "*/*", known }
}

/// The events of a manifest.
fn manifest_of(url: &Url, answer: &Answer) -> Result<Vec<rahdar_intel::misp::FeedEvent>, FeedError> {
    let text = String::from_utf8_lossy(&answer.body);
    rahdar_intel::misp::manifest(&text).map_err(|cause| FeedError::Content { url: shown(url), cause })
}

/// Does a round at once, and then one each period after the last has ended, until it is told to stop.
///
/// # Errors
/// The first error of a round.
pub fn every<E>(period: Duration, stop: &Stop, mut round: impl FnMut() -> Result<(), E>) -> Result<(), E> {
    loop {
        round()?;
        if !stop.wait(period) {
            return Ok(());
        }
    }
}
