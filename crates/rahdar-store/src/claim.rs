//! Claims as they cross the door of the database: many at once, as JSON.
//!
//! A book holds millions of claims of sixteen columns. Each value that crosses by itself costs an
//! allocation on both sides of a thread; a thousand claims in one text cost two.

use std::borrow::Cow;
use std::fmt::Write as _;

use rahdar_intel::book::Identity;
use rahdar_model::intelligence::{Claim, ClusterId, Tlp, WindowBasis};
use rahdar_model::{Timestamp, Window};
use serde::Deserialize;
use sqlx::{Row as _, SqliteConnection};

use crate::read::{Shared, indicator, list, word};
use crate::write::LIST_BREAK;

/// Claims in one text; chosen here: some 300 kB.
pub(crate) const CLAIMS_AT_ONCE: usize = 1_000;

/// A claim as an array. Its order is that of the columns below and in [`SELECT`].
#[derive(Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    indicator: Cow<'a, str>,
    port: Option<u16>,
    protocol: Option<u8>,
    valid_from: i64,
    valid_until: i64,
    #[serde(borrow)]
    basis: Cow<'a, str>,
    #[serde(borrow)]
    cluster: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tools: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    place: Cow<'a, str>,
    published: Option<i64>,
    confidence: Option<u8>,
    #[serde(borrow)]
    tlp: Option<Cow<'a, str>>,
    revoked: i64,
}

/// The claims of a subquery, and the last of their ids.
macro_rules! select {
    ($of:literal) => {
        concat!(
            "SELECT coalesce(max(id), 0) AS last, json_group_array(json_array(kind, indicator, port, protocol, ",
            "valid_from, valid_until, basis, cluster, tools, source, place, published, confidence, tlp, revoked)) ",
            "AS claims FROM (",
            $of,
            ")"
        )
    };
}

/// Every claim, in the order of ids.
pub(crate) async fn all(
    connection: &mut SqliteConnection,
    shared: &mut Shared,
) -> Result<Vec<Claim>, sqlx::Error> {
    let mut claims = Vec::new();
    let mut after = 0_i64;
    loop {
        let query = select!("SELECT * FROM claims WHERE id > $1 ORDER BY id LIMIT $2");
        let row = sqlx::query(query)
            .bind(after)
            .bind(i64::try_from(CLAIMS_AT_ONCE).unwrap_or(i64::MAX))
            .fetch_one(&mut *connection)
            .await?;
        let before = claims.len();
        read(row.try_get("claims")?, shared, &mut claims)?;
        if claims.len() == before {
            return Ok(claims);
        }
        after = row.try_get("last")?;
    }
}

/// The claims on any of these texts, and on URLs of these hosts, with all other versions of the
/// objects that they come from; in the order of ids.
pub(crate) async fn on(
    connection: &mut SqliteConnection,
    keys: &[String],
    hosts: &[String],
    shared: &mut Shared,
) -> Result<Vec<Claim>, sqlx::Error> {
    let query = select!(
        "WITH found AS (\
            SELECT id, place FROM claims WHERE indicator IN (SELECT value FROM json_each($1)) \
            UNION SELECT id, place FROM claims WHERE id IN \
                (SELECT claim FROM url_hosts WHERE host IN (SELECT value FROM json_each($2)))) \
        SELECT * FROM claims WHERE id IN (SELECT id FROM found UNION SELECT claims.id FROM found \
            JOIN claims ON claims.place = found.place AND instr(claims.place, '--') > 0) ORDER BY id"
    );
    let row = sqlx::query(query).bind(json(keys)).bind(json(hosts)).fetch_one(connection).await?;
    let mut claims = Vec::new();
    read(row.try_get("claims")?, shared, &mut claims)?;
    Ok(claims)
}

/// Texts as one value that SQL can take apart again.
pub(crate) fn json(texts: &[String]) -> String {
    let texts = texts.iter().map(|text| serde_json::Value::from(text.as_str()));
    serde_json::Value::from_iter(texts).to_string()
}

fn read(text: &str, shared: &mut Shared, claims: &mut Vec<Claim>) -> Result<(), sqlx::Error> {
    let stored: Vec<Stored<'_>> =
        serde_json::from_str(text).map_err(|cause| sqlx::Error::Decode(cause.into()))?;
    claims.reserve(stored.len());
    for stored in stored {
        claims.push(claim(stored, shared)?);
    }
    Ok(())
}

fn claim(stored: Stored<'_>, shared: &mut Shared) -> Result<Claim, sqlx::Error> {
    let (from, until) = (stored.valid_from, stored.valid_until);
    Ok(Claim {
        indicator: indicator(&stored.kind, &stored.indicator)?,
        port: stored.port,
        protocol: stored.protocol,
        validity: Window { from: Timestamp::from_micros(from), until: Timestamp::from_micros(until) },
        basis: word(&stored.basis, WindowBasis::from_word)?,
        cluster: stored.cluster.map(|id| ClusterId(shared.get(&id))),
        tools: list(&stored.tools),
        source: shared.get(&stored.source),
        place: stored.place.into(),
        published: stored.published.map(Timestamp::from_micros),
        confidence: stored.confidence,
        tlp: stored.tlp.map(|tlp| word(&tlp, Tlp::from_word)).transpose()?,
        revoked: stored.revoked != 0,
    })
}

/// Adds claims of one version; the counterpart of [`written`].
pub(crate) const INSERT: &str = "\
    INSERT INTO claims (version, identity, kind, indicator, port, protocol, valid_from, valid_until, basis, cluster, \
    tools, source, place, published, confidence, tlp, revoked) \
    SELECT $1, unhex(value->>0), value->>'$[1][0]', value->>'$[1][1]', value->>'$[1][2]', value->>'$[1][3]', \
    value->>'$[1][4]', value->>'$[1][5]', value->>'$[1][6]', value->>'$[1][7]', \
    value->>'$[2][0]', value->>'$[2][1]', value->>'$[2][2]', value->>'$[2][3]', value->>'$[2][4]', value->>'$[2][5]', value->>'$[2][6]' \
    FROM json_each($2) WHERE true ON CONFLICT DO NOTHING";

/// The claims as [`INSERT`] takes them.
pub(crate) fn written(claims: &[Claim]) -> Result<String, sqlx::Error> {
    let rows: Vec<_> = claims
        .iter()
        .map(|claim| {
            let columns = (
                claim.indicator.kind(),
                claim.indicator.to_string(),
                claim.port,
                claim.protocol,
                claim.validity.from.micros(),
                claim.validity.until.micros(),
                claim.basis.word(),
                claim.cluster.as_ref().map(|id| &*id.0),
            );
            let said = (
                claim.tools.join(LIST_BREAK),
                &*claim.source,
                &claim.place,
                claim.published.map(|time| time.micros()),
                claim.confidence,
                claim.tlp.map(|tlp| tlp.word()),
                i64::from(claim.revoked),
            );
            (hex(Identity::of(claim)), columns, said)
        })
        .collect();
    serde_json::to_string(&rows).map_err(|cause| sqlx::Error::Encode(cause.into()))
}

fn hex(identity: Identity) -> String {
    let mut text = String::with_capacity(2 * identity.0.len());
    for octet in identity.0 {
        // Writing to a string cannot fail.
        let _ = write!(text, "{octet:02x}");
    }
    text
}
