//! One import, in one transaction: all of it or nothing.

use rahdar_intel::book::{Identity, ImportedFile, Recorded};
use rahdar_intel::reading::Reading;
use rahdar_model::intelligence::{Claim, Cluster, Event, HostFact, Network};
use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::read;

/// Words of a list column, one a line: no tool's name holds a line break.
pub(crate) const LIST_BREAK: &str = "\n";

pub(crate) async fn reading(
    pool: &SqlitePool,
    file: &ImportedFile,
    reading: &Reading,
) -> Result<Recorded, sqlx::Error> {
    let mut open = match Open::new(pool, file, reading.refused_count).await? {
        Ok(open) => open,
        Err(known) => return Ok(known),
    };
    for claim in &reading.claims {
        open.claim(claim).await?;
    }
    for cluster in &reading.clusters {
        open.cluster(cluster).await?;
    }
    for fact in &reading.facts {
        open.fact(fact).await?;
    }
    open.close().await
}

pub(crate) async fn networks(
    pool: &SqlitePool,
    file: &ImportedFile,
    networks: &[Network],
) -> Result<Recorded, sqlx::Error> {
    let known = read::networks(pool).await?;
    let mut open = match Open::new(pool, file, 0).await? {
        Ok(open) => open,
        Err(known) => return Ok(known),
    };
    for network in networks.iter().filter(|network| !known.contains(network)) {
        open.network(network).await?;
    }
    open.close().await
}

pub(crate) async fn events(
    pool: &SqlitePool,
    file: &ImportedFile,
    events: &[Event],
) -> Result<Recorded, sqlx::Error> {
    let mut open = match Open::new(pool, file, 0).await? {
        Ok(open) => open,
        Err(known) => return Ok(known),
    };
    for event in events {
        open.event(event).await?;
    }
    open.close().await
}

/// An import that is being written.
struct Open {
    transaction: Transaction<'static, Sqlite>,
    version: i64,
    added: u64,
}

impl Open {
    /// Begins the next version; or says that the same content is recorded already.
    async fn new(
        pool: &SqlitePool,
        file: &ImportedFile,
        refused: usize,
    ) -> Result<Result<Self, Recorded>, sqlx::Error> {
        // Immediate: the write lock is taken before anything is read, so no other process comes between.
        let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
        let newest: i64 = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM imports")
            .fetch_one(&mut *transaction)
            .await?;
        let known: Option<i64> = sqlx::query_scalar("SELECT version FROM imports WHERE content = $1")
            .bind(&file.content)
            .fetch_optional(&mut *transaction)
            .await?;
        if known.is_some() {
            return Ok(Err(Recorded { version: newest.unsigned_abs(), added: 0, already: true }));
        }
        let version = newest + 1;
        sqlx::query(
            "INSERT INTO imports (version, name, content, imported_at, added, refused) VALUES ($1, $2, $3, $4, 0, $5)",
        )
        .bind(version)
        .bind(&file.name)
        .bind(&file.content)
        .bind(file.imported_at.micros())
        .bind(i64::try_from(refused).unwrap_or(i64::MAX))
        .execute(&mut *transaction)
        .await?;
        Ok(Ok(Self { transaction, version, added: 0 }))
    }

    async fn claim(&mut self, claim: &Claim) -> Result<(), sqlx::Error> {
        let identity = Identity::of(claim).0;
        let done = sqlx::query(
            "INSERT INTO claims (version, identity, kind, indicator, port, protocol, valid_from, valid_until, basis, \
             cluster, tools, source, place, published, confidence, tlp, revoked) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
             ON CONFLICT (identity) DO NOTHING",
        )
        .bind(self.version)
        .bind(&identity[..])
        .bind(claim.indicator.kind())
        .bind(claim.indicator.to_string())
        .bind(claim.port.map(i64::from))
        .bind(claim.protocol.map(i64::from))
        .bind(claim.validity.from.micros())
        .bind(claim.validity.until.micros())
        .bind(claim.basis.word())
        .bind(claim.cluster.as_ref().map(|id| id.0.to_string()))
        .bind(claim.tools.join(LIST_BREAK))
        .bind(claim.source.to_string())
        .bind(&claim.place)
        .bind(claim.published.map(|time| time.micros()))
        .bind(claim.confidence.map(i64::from))
        .bind(claim.tlp.map(|tlp| tlp.word()))
        .bind(i64::from(claim.revoked))
        .execute(&mut *self.transaction)
        .await?;
        self.added += done.rows_affected();
        Ok(())
    }

    async fn cluster(&mut self, cluster: &Cluster) -> Result<(), sqlx::Error> {
        sqlx::query(
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

    /// Makes the version readable.
    async fn close(mut self) -> Result<Recorded, sqlx::Error> {
        sqlx::query("UPDATE imports SET added = $1 WHERE version = $2")
            .bind(i64::try_from(self.added).unwrap_or(i64::MAX))
            .bind(self.version)
            .execute(&mut *self.transaction)
            .await?;
        self.transaction.commit().await?;
        Ok(Recorded {
            version: self.version.unsigned_abs(),
            added: usize::try_from(self.added).unwrap_or(usize::MAX),
            already: false,
        })
    }
}
