//! One import, in one transaction: all of it or nothing.

use std::collections::HashMap;

use rahdar_intel::age::Report;
use rahdar_intel::alias::Alias;
use rahdar_intel::benign::Note;
use rahdar_intel::book::{ImportedFile, Reached, Recorded};
use rahdar_intel::pdns::Record;
use rahdar_intel::pivot::Trait;
use rahdar_intel::reading::Reading;
use rahdar_model::Timestamp;
use rahdar_model::intelligence::{Claim, Cluster, Event, HostFact, Network};
use sqlx::{QueryBuilder, Sqlite, SqlitePool, Transaction};

use crate::claim::{self, CLAIMS_AT_ONCE};
use crate::{lookup, read};

/// Words of a list column, one a line: no tool's name holds a line break.
pub(crate) const LIST_BREAK: &str = "\n";

/// Rows added by one statement, but for claims ([`CLAIMS_AT_ONCE`]); chosen here.
pub(crate) const ROWS_AT_ONCE: usize = 100;

pub(crate) async fn reading(
    pool: &SqlitePool,
    file: &ImportedFile,
    reading: &Reading,
) -> Result<Recorded, sqlx::Error> {
    match Open::new(pool, "claims", file, reading.refused_count).await? {
        Ok(mut open) => {
            open.reading(file, reading).await?;
            open.close().await
        }
        Err(known) => Ok(known),
    }
}

/// What a part of a feed says, and where it was read to, in one transaction.
pub(crate) async fn from_feed(
    pool: &SqlitePool,
    file: &ImportedFile,
    reading: Option<&Reading>,
    reached: &Reached,
) -> Result<Recorded, sqlx::Error> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let mut recorded = Recorded { version: newest(&mut transaction).await?, added: 0, already: false };
    if let Some(reading) = reading {
        (transaction, recorded) =
            match Open::within(transaction, "claims", file, reading.refused_count).await? {
                Ok(mut open) => {
                    open.reading(file, reading).await?;
                    open.end().await?
                }
                Err(known) => known,
            };
    }
    sqlx::query(
        "INSERT INTO feed_positions (feed, part, position, version, reached_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&reached.feed)
    .bind(&reached.part)
    .bind(&reached.position)
    .bind(i64::try_from(recorded.version).unwrap_or(i64::MAX))
    .bind(file.imported_at.micros())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(recorded)
}

pub(crate) async fn networks(
    pool: &SqlitePool,
    file: &ImportedFile,
    networks: &[Network],
) -> Result<Recorded, sqlx::Error> {
    let mut open = match Open::new(pool, "networks", file, 0).await? {
        Ok(open) => open,
        Err(known) => return Ok(known),
    };
    let known = read::networks(&mut open.transaction).await?;
    let mut known: HashMap<_, _> = known.into_iter().map(|network| (network.prefix, network)).collect();
    for network in networks {
        if known.insert(network.prefix, network.clone()).as_ref() != Some(network) {
            open.network(network).await?;
        }
    }
    open.close().await
}

pub(crate) async fn events(
    pool: &SqlitePool,
    file: &ImportedFile,
    events: &[Event],
) -> Result<Recorded, sqlx::Error> {
    let mut open = match Open::new(pool, "events", file, 0).await? {
        Ok(open) => open,
        Err(known) => return Ok(known),
    };
    for event in events {
        open.event(event).await?;
    }
    open.close().await
}

/// Notes a hunt, if it saw further than those before.
pub(crate) async fn look(pool: &SqlitePool, at: Timestamp, until: Timestamp) -> Result<(), sqlx::Error> {
    let further = "INSERT INTO looks (at, until) SELECT $1, $2 WHERE NOT EXISTS (SELECT 1 FROM looks WHERE until >= $2)";
    sqlx::query(further).bind(at.micros()).bind(until.micros()).execute(pool).await?;
    Ok(())
}

/// An import that is being written.
pub(crate) struct Open {
    pub(crate) transaction: Transaction<'static, Sqlite>,
    pub(crate) version: i64,
    /// Claims, facts, networks or events added.
    added: u64,
    /// Clusters described and statements accepted, which nobody counts.
    pub(crate) described: u64,
}

impl Open {
    /// Begins the next version; or says that the same content is recorded already.
    pub(crate) async fn new(
        pool: &SqlitePool,
        what: &str,
        file: &ImportedFile,
        refused: usize,
    ) -> Result<Result<Self, Recorded>, sqlx::Error> {
        // Immediate: the write lock is taken before anything is read, so no other process comes between.
        let transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
        let opened = Self::within(transaction, what, file, refused).await?;
        Ok(opened.map_err(|(_, known)| known))
    }

    /// As [`Open::new`], within a transaction that holds the write lock.
    async fn within(
        mut transaction: Transaction<'static, Sqlite>,
        what: &str,
        file: &ImportedFile,
        refused: usize,
    ) -> Result<Result<Self, Ended>, sqlx::Error> {
        let newest = newest(&mut transaction).await?;
        let known: Option<i64> =
            sqlx::query_scalar("SELECT version FROM imports WHERE what = $1 AND content = $2")
                .bind(what)
                .bind(&file.content)
                .fetch_optional(&mut *transaction)
                .await?;
        if known.is_some() {
            return Ok(Err((transaction, Recorded { version: newest, added: 0, already: true })));
        }
        let version = i64::try_from(newest).unwrap_or(i64::MAX - 1) + 1;
        sqlx::query(
            "INSERT INTO imports (version, what, name, content, imported_at, added, refused) \
             VALUES ($1, $2, $3, $4, $5, 0, $6)",
        )
        .bind(version)
        .bind(what)
        .bind(&file.name)
        .bind(&file.content)
        .bind(file.imported_at.micros())
        .bind(i64::try_from(refused).unwrap_or(i64::MAX))
        .execute(&mut *transaction)
        .await?;
        Ok(Ok(Self { transaction, version, added: 0, described: 0 }))
    }

    /// Adds all that a reading of the file holds.
    async fn reading(&mut self, file: &ImportedFile, reading: &Reading) -> Result<(), sqlx::Error> {
        self.claims(&reading.claims).await?;
        for cluster in &reading.clusters {
            self.cluster(cluster).await?;
        }
        for fact in &reading.facts {
            self.fact(fact).await?;
        }
        for records in reading.resolutions.chunks(ROWS_AT_ONCE) {
            self.resolutions(records).await?;
        }
        for traits in reading.traits.chunks(ROWS_AT_ONCE) {
            self.traits(traits).await?;
        }
        for aliases in reading.aliases.chunks(ROWS_AT_ONCE) {
            self.aliases(aliases).await?;
        }
        for notes in reading.notes.chunks(ROWS_AT_ONCE) {
            self.notes(notes).await?;
        }
        for reports in reading.reports.chunks(ROWS_AT_ONCE) {
            self.reports(reports).await?;
        }
        self.assertions(file, &reading.assertions).await
    }

    pub(crate) async fn claims(&mut self, claims: &[Claim]) -> Result<(), sqlx::Error> {
        for claims in claims.chunks(CLAIMS_AT_ONCE) {
            let done = sqlx::query(claim::INSERT)
                .bind(self.version)
                .bind(claim::written(claims)?)
                .execute(&mut *self.transaction)
                .await?;
            self.added += done.rows_affected();
        }
        lookup::note_hosts(&mut self.transaction).await
    }

    pub(crate) async fn cluster(&mut self, cluster: &Cluster) -> Result<(), sqlx::Error> {
        let done = sqlx::query(
            "INSERT INTO clusters (version, cluster, name, named, tools) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT DO NOTHING",
        )
        .bind(self.version)
        .bind(cluster.id.0.to_string())
        .bind(&cluster.name)
        .bind(i64::from(cluster.named))
        .bind(cluster.tools.join(LIST_BREAK))
        .execute(&mut *self.transaction)
        .await?;
        self.described += done.rows_affected();
        Ok(())
    }

    async fn fact(&mut self, fact: &HostFact) -> Result<(), sqlx::Error> {
        let done = sqlx::query(
            "INSERT INTO host_facts (version, network, class, valid_from, valid_until, source) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        )
        .bind(self.version)
        .bind(fact.network.to_string())
        .bind(fact.class.word())
        .bind(fact.validity.from.micros())
        .bind(fact.validity.until.micros())
        .bind(fact.source.to_string())
        .execute(&mut *self.transaction)
        .await?;
        self.added += done.rows_affected();
        Ok(())
    }

    async fn resolutions(&mut self, records: &[Record]) -> Result<(), sqlx::Error> {
        let mut statement = QueryBuilder::new(
            "INSERT INTO resolutions (version, name, address, first_seen, last_seen, count, source, place) ",
        );
        let version = self.version;
        statement.push_values(records, |mut row, record| {
            row.push_bind(version)
                .push_bind(record.name.clone())
                .push_bind(record.address.to_string())
                .push_bind(record.first.micros())
                .push_bind(record.last.micros())
                .push_bind(record.count.map(|count| i64::try_from(count).unwrap_or(i64::MAX)))
                .push_bind(record.source.to_string())
                .push_bind(record.place.clone());
        });
        self.add(statement).await
    }

    async fn traits(&mut self, traits: &[Trait]) -> Result<(), sqlx::Error> {
        let mut statement = QueryBuilder::new(
            "INSERT INTO traits (version, subject, kind, value, first_seen, last_seen, confidence, source, place) ",
        );
        let version = self.version;
        statement.push_values(traits, |mut row, one| {
            row.push_bind(version)
                .push_bind(one.subject.to_string())
                .push_bind(one.kind.word())
                .push_bind(one.value.clone())
                .push_bind(one.seen.from.micros())
                .push_bind(one.seen.until.micros())
                .push_bind(one.confidence.map(i64::from))
                .push_bind(one.source.to_string())
                .push_bind(one.place.clone());
        });
        self.add(statement).await
    }

    async fn aliases(&mut self, aliases: &[Alias]) -> Result<(), sqlx::Error> {
        let mut statement = QueryBuilder::new(
            "INSERT INTO aliases (version, name, target, first_seen, last_seen, count, source, place) ",
        );
        let version = self.version;
        statement.push_values(aliases, |mut row, alias| {
            row.push_bind(version)
                .push_bind(alias.name.clone())
                .push_bind(alias.target.clone())
                .push_bind(alias.first.micros())
                .push_bind(alias.last.micros())
                .push_bind(alias.count.map(|count| i64::try_from(count).unwrap_or(i64::MAX)))
                .push_bind(alias.source.to_string())
                .push_bind(alias.place.clone());
        });
        self.add(statement).await
    }

    async fn notes(&mut self, notes: &[Note]) -> Result<(), sqlx::Error> {
        let mut statement = QueryBuilder::new(
            "INSERT INTO notes (version, matching, name, valid_from, valid_until, source) ",
        );
        let version = self.version;
        statement.push_values(notes, |mut row, note| {
            let (matching, name) = note.matching.parts();
            row.push_bind(version)
                .push_bind(matching)
                .push_bind(name.to_owned())
                .push_bind(note.validity.from.micros())
                .push_bind(note.validity.until.micros())
                .push_bind(note.source.to_string());
        });
        self.add(statement).await
    }

    async fn reports(&mut self, reports: &[Report]) -> Result<(), sqlx::Error> {
        let mut statement =
            QueryBuilder::new("INSERT INTO reports (version, kind, indicator, report, at, source) ");
        let version = self.version;
        statement.push_values(reports, |mut row, report| {
            row.push_bind(version)
                .push_bind(report.indicator.kind())
                .push_bind(report.indicator.to_string())
                .push_bind(report.kind.word())
                .push_bind(report.at.micros())
                .push_bind(report.source.to_string());
        });
        self.add(statement).await
    }

    /// Runs a statement that adds rows, without those that are there.
    async fn add(&mut self, mut statement: QueryBuilder<Sqlite>) -> Result<(), sqlx::Error> {
        statement.push(" ON CONFLICT DO NOTHING");
        let done = statement.build().execute(&mut *self.transaction).await?;
        self.added += done.rows_affected();
        Ok(())
    }

    async fn network(&mut self, network: &Network) -> Result<(), sqlx::Error> {
        let done = sqlx::query(
            "INSERT INTO networks (version, prefix, asn, org, sector, country, role) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(self.version)
        .bind(network.prefix.to_string())
        .bind(network.asn.map(i64::from))
        .bind(&network.org)
        .bind(&network.sector)
        .bind(&network.country)
        .bind(&network.role)
        .execute(&mut *self.transaction)
        .await?;
        self.added += done.rows_affected();
        Ok(())
    }

    async fn event(&mut self, event: &Event) -> Result<(), sqlx::Error> {
        let done =
            sqlx::query("INSERT INTO events (version, at, label) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
                .bind(self.version)
                .bind(event.at.micros())
                .bind(&event.label)
                .execute(&mut *self.transaction)
                .await?;
        self.added += done.rows_affected();
        Ok(())
    }

    /// Makes the version readable; if there is nothing new in it, leaves the book as it is.
    pub(crate) async fn close(self) -> Result<Recorded, sqlx::Error> {
        let (transaction, recorded) = self.end().await?;
        transaction.commit().await?;
        Ok(recorded)
    }

    /// Ends the version; if there is nothing new in it, takes it back. The transaction stays open.
    async fn end(mut self) -> Result<Ended, sqlx::Error> {
        let version = self.version.unsigned_abs();
        let added = usize::try_from(self.added).unwrap_or(usize::MAX);
        if self.added + self.described == 0 {
            let taken_back = sqlx::query("DELETE FROM imports WHERE version = $1").bind(self.version);
            taken_back.execute(&mut *self.transaction).await?;
            return Ok((self.transaction, Recorded { version: version - 1, added, already: false }));
        }
        sqlx::query("UPDATE imports SET added = $1 WHERE version = $2")
            .bind(i64::try_from(self.added).unwrap_or(i64::MAX))
            .bind(self.version)
            .execute(&mut *self.transaction)
            .await?;
        Ok((self.transaction, Recorded { version, added, already: false }))
    }
}

/// A transaction that is still open, and what it will have recorded.
type Ended = (Transaction<'static, Sqlite>, Recorded);

/// The present version.
async fn newest(transaction: &mut Transaction<'static, Sqlite>) -> Result<u64, sqlx::Error> {
    let newest: i64 = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM imports")
        .fetch_one(&mut **transaction)
        .await?;
    Ok(newest.unsigned_abs())
}
