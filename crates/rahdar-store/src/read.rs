//! Rows back into the nouns of the model.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use futures::StreamExt;
use rahdar_intel::age::{Report, ReportKind};
use rahdar_intel::alias::Alias;
use rahdar_intel::assertion::Assertion;
use rahdar_intel::benign::{Matching, Note};
use rahdar_intel::book::Entry;
use rahdar_intel::index::Snapshot;
use rahdar_intel::pdns::Record;
use rahdar_intel::pivot::{Kind, Node, Trait};
use rahdar_model::intelligence::{
    Cluster, ClusterId, Event, HashKind, HostClass, HostFact, Indicator, Network,
};
use rahdar_model::{Prefix, Timestamp, Window};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqlitePool};

use crate::claim;
use crate::statement;
use crate::write::LIST_BREAK;

pub(crate) async fn version<'a>(from: impl sqlx::SqliteExecutor<'a>) -> Result<u64, sqlx::Error> {
    let newest: i64 =
        sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM imports").fetch_one(from).await?;
    Ok(newest.unsigned_abs())
}

/// Everything of one version, read in one transaction, part by part: millions of rows at once
/// would not fit beside the claims they become.
pub(crate) async fn snapshot(pool: &SqlitePool) -> Result<Snapshot, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let newest: i64 = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM imports")
        .fetch_one(&mut *transaction)
        .await?;
    let mut shared = Shared::default();
    let claims = claim::all(&mut transaction, &mut shared).await?;
    let clusters = clusters(&mut transaction).await?;
    let read = |row: &SqliteRow| fact(row, &mut shared);
    let facts = each(&mut transaction, "SELECT * FROM host_facts ORDER BY id", read).await?;
    let read = |row: &SqliteRow| note(row, &mut shared);
    let notes = each(&mut transaction, "SELECT * FROM notes ORDER BY id", read).await?;
    let read = |row: &SqliteRow| report(row, &mut shared);
    let reports = each(&mut transaction, "SELECT * FROM reports ORDER BY id", read).await?;
    let assertions: Vec<Assertion> = statement::accepted(&mut transaction, &mut shared).await?;
    let read = |row: &SqliteRow| alias(row, &mut shared);
    let aliases = each(&mut transaction, "SELECT * FROM aliases ORDER BY id", read).await?;
    let book = Snapshot::new(newest.unsigned_abs(), claims, clusters, facts);
    let book =
        book.with_notes(notes).with_reports(reports).with_assertions(&assertions).with_aliases(&aliases);
    let records = resolutions(&mut transaction, &book, &mut shared).await?;
    Ok(book.with_resolutions(&records))
}

/// What was resolved at claimed addresses, and at those that claimed names had or led to. The rest of passive DNS says nothing
/// of any claim, and may be large: it is passed twice, row by row, and not kept.
async fn resolutions(
    connection: &mut SqliteConnection,
    book: &Snapshot,
    shared: &mut Shared,
) -> Result<Vec<Record>, sqlx::Error> {
    let mut addresses: HashSet<String> = HashSet::new();
    let mut rows = sqlx::query("SELECT name, address FROM resolutions").fetch(&mut *connection);
    while let Some(row) = rows.next().await {
        let row = row?;
        let address: String = row.try_get("address")?;
        let is_claimed = || address.parse().is_ok_and(|address| book.claims_on(address).next().is_some());
        let name = row.try_get("name")?;
        if !book.claims_naming(name).is_empty() || book.aliases().leads_to(name) || is_claimed() {
            addresses.insert(address);
        }
    }
    drop(rows);
    let mut records = Vec::new();
    let mut rows = sqlx::query("SELECT * FROM resolutions ORDER BY id").fetch(connection);
    while let Some(row) = rows.next().await {
        let row = row?;
        if addresses.contains(row.try_get::<&str, _>("address")?) {
            records.push(resolution(&row, shared)?);
        }
    }
    Ok(records)
}

/// All of passive DNS.
pub(crate) async fn records(connection: &mut SqliteConnection) -> Result<Vec<Record>, sqlx::Error> {
    let mut shared = Shared::default();
    each(connection, "SELECT * FROM resolutions ORDER BY id", |row| resolution(row, &mut shared)).await
}

/// What was seen of hosts and names.
pub(crate) async fn traits(connection: &mut SqliteConnection) -> Result<Vec<Trait>, sqlx::Error> {
    let mut shared = Shared::default();
    each(connection, "SELECT * FROM traits ORDER BY id", |row| one_trait(row, &mut shared)).await
}

/// Reads every row of a query.
pub(crate) async fn each<T>(
    connection: &mut SqliteConnection,
    query: &'static str,
    mut read: impl FnMut(&SqliteRow) -> Result<T, sqlx::Error>,
) -> Result<Vec<T>, sqlx::Error> {
    let mut rows = sqlx::query(query).fetch(connection);
    let mut all = Vec::new();
    while let Some(row) = rows.next().await {
        all.push(read(&row?)?);
    }
    Ok(all)
}

/// Texts that many rows share, each kept once.
#[derive(Default)]
pub(crate) struct Shared(HashSet<Arc<str>>);

impl Shared {
    pub(crate) fn get(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let new: Arc<str> = text.into();
        self.0.insert(new.clone());
        new
    }
}

/// What was said of clusters.
pub(crate) async fn clusters(connection: &mut SqliteConnection) -> Result<Vec<Cluster>, sqlx::Error> {
    each(connection, "SELECT * FROM clusters ORDER BY id", cluster).await
}

/// The networks as last described.
pub(crate) async fn networks(connection: &mut SqliteConnection) -> Result<Vec<Network>, sqlx::Error> {
    let described = each(connection, "SELECT * FROM networks ORDER BY id", network).await?;
    let latest: BTreeMap<Prefix, Network> =
        described.into_iter().map(|network| (network.prefix, network)).collect();
    Ok(latest.into_values().collect())
}

pub(crate) async fn events(pool: &SqlitePool) -> Result<Vec<Event>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT events.at, label, EXISTS ( \
             SELECT 1 FROM looks WHERE looks.at < imported_at AND looks.until > events.at) AS is_exploratory \
         FROM events JOIN imports USING (version) ORDER BY events.at, label",
    )
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Event {
                at: Timestamp::from_micros(row.try_get("at")?),
                label: row.try_get("label")?,
                is_exploratory: row.try_get("is_exploratory")?,
            })
        })
        .collect()
}

/// Where each part of a feed was read to: its newest position.
pub(crate) async fn reached(pool: &SqlitePool, feed: &str) -> Result<BTreeMap<String, String>, sqlx::Error> {
    let mut rows = sqlx::query("SELECT part, position FROM feed_positions WHERE feed = $1 ORDER BY id")
        .bind(feed)
        .fetch(pool);
    let mut newest = BTreeMap::new();
    while let Some(row) = rows.next().await {
        let row = row?;
        newest.insert(row.try_get("part")?, row.try_get("position")?);
    }
    Ok(newest)
}

pub(crate) async fn imports(pool: &SqlitePool) -> Result<Vec<Entry>, sqlx::Error> {
    let rows = sqlx::query("SELECT * FROM imports ORDER BY version").fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            Ok(Entry {
                version: number(row, "version")?,
                name: row.try_get("name")?,
                content: row.try_get("content")?,
                imported_at: Timestamp::from_micros(row.try_get("imported_at")?),
                added: number(row, "added")?,
                refused: number(row, "refused")?,
            })
        })
        .collect()
}

pub(crate) fn indicator(kind: &str, text: &str) -> Result<Indicator, sqlx::Error> {
    Ok(match kind {
        "ipv4" | "ipv6" | "cidr" => Indicator::Network(parsed::<Prefix>(text)?),
        "domain" => Indicator::Domain(text.to_owned()),
        "url" => Indicator::Url(text.to_owned()),
        "md5" => Indicator::Hash(HashKind::Md5, text.to_owned()),
        "sha1" => Indicator::Hash(HashKind::Sha1, text.to_owned()),
        "sha256" => Indicator::Hash(HashKind::Sha256, text.to_owned()),
        "certificate" => Indicator::Certificate(text.to_owned()),
        _ => return Err(strange(kind)),
    })
}

pub(crate) fn cluster(row: &SqliteRow) -> Result<Cluster, sqlx::Error> {
    Ok(Cluster {
        id: ClusterId(row.try_get::<&str, _>("cluster")?.into()),
        name: row.try_get("name")?,
        named: row.try_get::<i64, _>("named")? != 0,
        tools: list(row.try_get("tools")?),
    })
}

pub(crate) fn fact(row: &SqliteRow, shared: &mut Shared) -> Result<HostFact, sqlx::Error> {
    Ok(HostFact {
        network: parsed(row.try_get("network")?)?,
        class: word(row.try_get("class")?, HostClass::from_word)?,
        validity: window(row)?,
        source: shared.get(row.try_get("source")?),
    })
}

pub(crate) fn resolution(row: &SqliteRow, shared: &mut Shared) -> Result<Record, sqlx::Error> {
    Ok(Record {
        name: row.try_get("name")?,
        address: parsed(row.try_get("address")?)?,
        first: Timestamp::from_micros(row.try_get("first_seen")?),
        last: Timestamp::from_micros(row.try_get("last_seen")?),
        count: optional(row, "count")?,
        source: shared.get(row.try_get("source")?),
        place: row.try_get("place")?,
    })
}

fn one_trait(row: &SqliteRow, shared: &mut Shared) -> Result<Trait, sqlx::Error> {
    Ok(Trait {
        subject: word(row.try_get("subject")?, Node::parse)?,
        kind: word(row.try_get("kind")?, Kind::from_word)?,
        value: row.try_get("value")?,
        seen: Window {
            from: Timestamp::from_micros(row.try_get("first_seen")?),
            until: Timestamp::from_micros(row.try_get("last_seen")?),
        },
        confidence: optional(row, "confidence")?,
        source: shared.get(row.try_get("source")?),
        place: row.try_get("place")?,
    })
}

pub(crate) fn alias(row: &SqliteRow, shared: &mut Shared) -> Result<Alias, sqlx::Error> {
    Ok(Alias {
        name: row.try_get("name")?,
        target: row.try_get("target")?,
        first: Timestamp::from_micros(row.try_get("first_seen")?),
        last: Timestamp::from_micros(row.try_get("last_seen")?),
        count: optional(row, "count")?,
        source: shared.get(row.try_get("source")?),
        place: row.try_get("place")?,
    })
}

pub(crate) fn note(row: &SqliteRow, shared: &mut Shared) -> Result<Note, sqlx::Error> {
    let matching = row.try_get("matching")?;
    Ok(Note {
        matching: Matching::from_parts(matching, row.try_get("name")?).ok_or_else(|| strange(matching))?,
        validity: window(row)?,
        source: shared.get(row.try_get("source")?),
    })
}

pub(crate) fn report(row: &SqliteRow, shared: &mut Shared) -> Result<Report, sqlx::Error> {
    Ok(Report {
        indicator: indicator(row.try_get("kind")?, row.try_get("indicator")?)?,
        kind: word(row.try_get("report")?, ReportKind::from_word)?,
        at: Timestamp::from_micros(row.try_get("at")?),
        source: shared.get(row.try_get("source")?),
    })
}

fn network(row: &SqliteRow) -> Result<Network, sqlx::Error> {
    Ok(Network {
        prefix: parsed(row.try_get("prefix")?)?,
        asn: optional(row, "asn")?,
        org: row.try_get("org")?,
        sector: row.try_get("sector")?,
        country: row.try_get("country")?,
        role: row.try_get("role")?,
    })
}

fn window(row: &SqliteRow) -> Result<Window, sqlx::Error> {
    Ok(Window {
        from: Timestamp::from_micros(row.try_get("valid_from")?),
        until: Timestamp::from_micros(row.try_get("valid_until")?),
    })
}

pub(crate) fn number<N: TryFrom<i64>>(row: &SqliteRow, column: &str) -> Result<N, sqlx::Error> {
    let stored: i64 = row.try_get(column)?;
    N::try_from(stored).map_err(|_| strange(stored))
}

pub(crate) fn optional<N: TryFrom<i64>>(row: &SqliteRow, column: &str) -> Result<Option<N>, sqlx::Error> {
    let stored: Option<i64> = row.try_get(column)?;
    stored.map(|n| N::try_from(n).map_err(|_| strange(n))).transpose()
}

pub(crate) fn word<T>(text: &str, read: fn(&str) -> Option<T>) -> Result<T, sqlx::Error> {
    read(text).ok_or_else(|| strange(text))
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, sqlx::Error> {
    text.parse().map_err(|_| strange(text))
}

pub(crate) fn list(text: &str) -> Vec<String> {
    let mut words: Vec<String> =
        text.split(LIST_BREAK).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    // Millions of claims hold one tool each, and room for four.
    words.shrink_to_fit();
    words
}

/// A stored value that rahdar never writes.
fn strange(value: impl fmt::Display) -> sqlx::Error {
    sqlx::Error::Decode(format!("`{value}` is no value of that column").into())
}
