//! No more of the book than one subject needs, found by its keys.
//!
//! What is read is more than answers: [`Snapshot`] alone decides. It must hold all that the whole
//! snapshot would use for this subject, and a test holds both side by side.

use std::collections::BTreeSet;

use rahdar_intel::alias::{Alias, CHAIN_MAX};
use rahdar_intel::benign::Note;
use rahdar_intel::index::{Snapshot, Subject};
use rahdar_intel::pdns::Record;
use rahdar_model::intelligence::Claim;
use sqlx::{Row as _, SqliteConnection, SqlitePool};

use crate::claim::{self, json};
use crate::read::{self, Shared};

/// URLs whose hosts are noted by one statement.
const HOSTS_AT_ONCE: i64 = 1_000;

pub(crate) async fn about(pool: &SqlitePool, subject: &Subject) -> Result<Snapshot, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let connection = &mut *transaction;
    let version = read::version(&mut *connection).await?;
    let mut shared = Shared::default();
    let mut keys: BTreeSet<String> = subject.keys().into_iter().collect();
    let mut noted: BTreeSet<String> = subject.noted().into_iter().collect();
    let mut facts = Vec::new();
    let mut records: Vec<Record> = Vec::new();
    let mut aliases: Vec<Alias> = Vec::new();
    let mut hosts = Vec::new();
    match subject {
        Subject::Address(address) => {
            let networks: Vec<String> = keys.iter().cloned().collect();
            let read = |row: &_| read::fact(row, &mut shared);
            let query =
                "SELECT * FROM host_facts WHERE network IN (SELECT value FROM json_each($1)) ORDER BY id";
            facts = matching(connection, query, &networks, read).await?;
            let read = |row: &_| read::resolution(row, &mut shared);
            let query =
                "SELECT * FROM resolutions WHERE address = (SELECT value FROM json_each($1)) ORDER BY id";
            records = matching(connection, query, &[address.to_string()], read).await?;
            let resolved: BTreeSet<&str> = records.iter().map(|record| record.name.as_str()).collect();
            aliases = leading_to(connection, &resolved, &mut shared).await?;
            let names = resolved.into_iter().chain(aliases.iter().map(|alias| alias.name.as_str()));
            for name in names.collect::<BTreeSet<_>>() {
                let name = Subject::of(name);
                keys.extend(name.keys());
                noted.extend(name.noted());
            }
        }
        // The host of a URL is among its keys, and that of a name is the name.
        Subject::Name(name) => hosts.push(name.clone()),
    }
    let keys: Vec<String> = keys.into_iter().collect();
    let noted: Vec<String> = noted.into_iter().collect();
    let claims = claim::on(connection, &keys, &hosts, &mut shared).await?;
    let clusters = clusters(connection, &claims).await?;
    let notes = notes(connection, &noted, &mut shared).await?;
    let texts: BTreeSet<String> =
        claims.iter().map(|claim| claim.indicator.to_string()).chain(keys).collect();
    let query = "SELECT * FROM reports WHERE kind IN ('ipv4', 'ipv6', 'cidr', 'domain', 'url', 'md5', 'sha1', 'sha256') \
        AND indicator IN (SELECT value FROM json_each($1)) ORDER BY id";
    let texts: Vec<String> = texts.into_iter().collect();
    let reports = matching(connection, query, &texts, |row| read::report(row, &mut shared)).await?;
    let book = Snapshot::new(version, claims, clusters, facts).with_notes(notes).with_reports(reports);
    Ok(book.with_aliases(&aliases).with_resolutions(&records))
}

/// The chains of aliases that end at any of these names.
async fn leading_to(
    connection: &mut SqliteConnection,
    names: &BTreeSet<&str>,
    shared: &mut Shared,
) -> Result<Vec<Alias>, sqlx::Error> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let query = "WITH RECURSIVE led (name, steps) AS (\
            SELECT value, 0 FROM json_each($1) \
            UNION SELECT aliases.name, steps + 1 FROM led JOIN aliases ON aliases.target = led.name WHERE steps + 1 < $2) \
        SELECT * FROM aliases WHERE target IN (SELECT name FROM led) ORDER BY id";
    let steps = i64::try_from(CHAIN_MAX).unwrap_or(i64::MAX);
    let rows = sqlx::query(query).bind(json(&names)).bind(steps).fetch_all(connection).await?;
    rows.iter().map(|row| read::alias(row, shared)).collect()
}

/// The rows of a query over a set of texts.
async fn matching<T>(
    connection: &mut SqliteConnection,
    query: &'static str,
    texts: &[String],
    read: impl FnMut(&sqlx::sqlite::SqliteRow) -> Result<T, sqlx::Error>,
) -> Result<Vec<T>, sqlx::Error> {
    let rows = sqlx::query(query).bind(json(texts)).fetch_all(connection).await?;
    rows.iter().map(read).collect()
}

async fn clusters(
    connection: &mut SqliteConnection,
    claims: &[Claim],
) -> Result<Vec<rahdar_model::intelligence::Cluster>, sqlx::Error> {
    let ids: BTreeSet<&str> = claims.iter().filter_map(|claim| Some(&*claim.cluster.as_ref()?.0)).collect();
    let ids: Vec<String> = ids.into_iter().map(str::to_owned).collect();
    let query = "SELECT * FROM clusters WHERE cluster IN (SELECT value FROM json_each($1)) ORDER BY id";
    matching(connection, query, &ids, read::cluster).await
}

/// The notes on these names, and all those that are tried on every name.
async fn notes(
    connection: &mut SqliteConnection,
    names: &[String],
    shared: &mut Shared,
) -> Result<Vec<Note>, sqlx::Error> {
    let query = "SELECT * FROM notes WHERE matching IN ('part', 'pattern') \
        OR matching IN ('whole', 'above') AND name IN (SELECT value FROM json_each($1)) ORDER BY id";
    matching(connection, query, names, |row| read::note(row, shared)).await
}

/// Notes the hosts of URLs of an older book, if any are missing.
pub(crate) async fn complete(pool: &SqlitePool) -> Result<(), sqlx::Error> {
    let missing: i64 = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM claims WHERE kind = 'url' AND id > (SELECT coalesce(max(claim), 0) FROM url_hosts))",
    )
    .fetch_one(pool)
    .await?;
    if missing == 0 {
        return Ok(());
    }
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    note_hosts(&mut transaction).await?;
    transaction.commit().await
}

/// Notes the hosts of the URLs that were added last. A URL without a valid host has an empty one.
pub(crate) async fn note_hosts(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    loop {
        let urls = sqlx::query(
            "SELECT id, indicator FROM claims WHERE kind = 'url' \
             AND id > (SELECT coalesce(max(claim), 0) FROM url_hosts) ORDER BY id LIMIT $1",
        )
        .bind(HOSTS_AT_ONCE)
        .fetch_all(&mut *connection)
        .await?;
        if urls.is_empty() {
            return Ok(());
        }
        let mut hosts = Vec::with_capacity(urls.len());
        for row in &urls {
            let host = Subject::host_of_url(row.try_get("indicator")?).unwrap_or_default();
            hosts.push((row.try_get::<i64, _>("id")?, host));
        }
        let hosts = serde_json::to_string(&hosts).map_err(|cause| sqlx::Error::Encode(cause.into()))?;
        sqlx::query("INSERT INTO url_hosts (claim, host) SELECT value->>0, value->>1 FROM json_each($1)")
            .bind(hosts)
            .execute(&mut *connection)
            .await?;
    }
}
