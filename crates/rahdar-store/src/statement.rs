//! What reports propose: kept, listed, and taken into the book when a person says so.

use std::collections::HashSet;

use rahdar_intel::assertion::{Assertion, Proposal, Relation, Statement};
use rahdar_intel::book::{ImportedFile, Kept, Proposed, Recorded, clusters_of};
use rahdar_model::intelligence::{Claim, ClusterId, Tlp, WindowBasis};
use rahdar_model::{Timestamp, Window};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection, SqlitePool, Transaction};

use crate::read::{Shared, each, indicator, list, number, optional, word};
use crate::write::{LIST_BREAK, Open};

/// The relation of an indicator to whose it is, in the column where assertions have theirs.
const INDICATES: &str = "indicates";

/// Keeps proposals; those that are there stay.
pub(crate) async fn propose(
    pool: &SqlitePool,
    file: &ImportedFile,
    proposals: &[Proposal],
) -> Result<Proposed, sqlx::Error> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let mut proposed = Proposed { ids: Vec::with_capacity(proposals.len()), added: 0 };
    for proposal in proposals {
        let (id, new) = insert(&mut transaction, file, proposal).await?;
        proposed.ids.push(id.unsigned_abs());
        proposed.added += usize::from(new);
    }
    transaction.commit().await?;
    Ok(proposed)
}

/// Every proposal, in the order of ids.
pub(crate) async fn all(connection: &mut SqliteConnection) -> Result<Vec<Kept>, sqlx::Error> {
    let mut shared = Shared::default();
    let query = "SELECT statements.*, acceptances.version AS accepted FROM statements \
        LEFT JOIN acceptances ON acceptances.statement = statements.id ORDER BY statements.id";
    each(connection, query, |row| kept(row, &mut shared)).await
}

/// What was said of names and accepted, in the order of ids.
pub(crate) async fn accepted(
    connection: &mut SqliteConnection,
    shared: &mut Shared,
) -> Result<Vec<Assertion>, sqlx::Error> {
    let query = "SELECT statements.*, acceptances.version AS accepted FROM statements \
        JOIN acceptances ON acceptances.statement = statements.id WHERE kind IS NULL ORDER BY statements.id";
    let kept = each(connection, query, |row| kept(row, shared)).await?;
    let assertions = kept.into_iter().filter_map(|kept| match kept.proposal.statement {
        Statement::Assertion(assertion) => Some(assertion),
        Statement::Claim(_) => None,
    });
    Ok(assertions.collect())
}

/// Takes proposals into the book, as one version.
pub(crate) async fn accept(pool: &SqlitePool, ids: &[u64], at: Timestamp) -> Result<Recorded, sqlx::Error> {
    let wanted: HashSet<u64> = ids.iter().copied().collect();
    let all = all(&mut *pool.acquire().await?).await?;
    let waiting: Vec<&Kept> =
        all.iter().filter(|kept| wanted.contains(&kept.id) && kept.accepted.is_none()).collect();
    let proposals: Vec<&Proposal> = waiting.iter().map(|kept| &kept.proposal).collect();
    let mut files: Vec<&str> = waiting.iter().map(|kept| kept.file.as_str()).collect();
    files.dedup();
    let name = format!("accepted from {}", files.join(", "));
    let content = waiting.iter().map(|kept| kept.id.to_string()).collect::<Vec<_>>().join(" ");
    let content = format!("accepted {content}");
    let file = ImportedFile { name, content, imported_at: at };
    let mut open = match Open::new(pool, "claims", &file, 0).await? {
        Ok(open) => open,
        Err(known) => return Ok(known),
    };
    let claims = proposals.iter().filter_map(|proposal| match &proposal.statement {
        Statement::Claim(claim) => Some(claim.clone()),
        Statement::Assertion(_) => None,
    });
    open.claims(&claims.collect::<Vec<Claim>>()).await?;
    for cluster in clusters_of(&proposals, &all) {
        open.cluster(&cluster).await?;
    }
    for kept in waiting {
        open.acceptance(kept.id).await?;
    }
    open.close().await
}

impl Open {
    /// Adds what a file says of names, accepted as it comes.
    pub(crate) async fn assertions(
        &mut self,
        file: &ImportedFile,
        assertions: &[Assertion],
    ) -> Result<(), sqlx::Error> {
        for assertion in assertions {
            let proposal = Proposal {
                statement: Statement::Assertion(assertion.clone()),
                wording: String::new(),
                sentence: String::new(),
                place: String::new(),
            };
            let (id, _) = insert(&mut self.transaction, file, &proposal).await?;
            self.acceptance(id.unsigned_abs()).await?;
        }
        Ok(())
    }

    async fn acceptance(&mut self, id: u64) -> Result<(), sqlx::Error> {
        let done = sqlx::query(
            "INSERT INTO acceptances (statement, version) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(i64::try_from(id).unwrap_or(i64::MAX))
        .bind(self.version)
        .execute(&mut *self.transaction)
        .await?;
        self.described += done.rows_affected();
        Ok(())
    }
}

/// Adds a statement if it is not there; returns its id, and whether it is new.
async fn insert(
    transaction: &mut Transaction<'static, Sqlite>,
    file: &ImportedFile,
    proposal: &Proposal,
) -> Result<(i64, bool), sqlx::Error> {
    let identity = proposal.identity().0.to_vec();
    let known: Option<i64> = sqlx::query_scalar("SELECT id FROM statements WHERE identity = $1")
        .bind(identity.clone())
        .fetch_optional(&mut **transaction)
        .await?;
    if let Some(id) = known {
        return Ok((id, false));
    }
    let mut statement = QueryBuilder::new(
        "INSERT INTO statements (identity, file, content, stated_at, wording, sentence, place, kind, subject, relation, \
         object, port, protocol, valid_from, valid_until, basis, cluster, tools, confidence, asserted_by, source, \
         published, tlp) ",
    );
    statement.push_values([proposal], |mut row, proposal| {
        row.push_bind(identity.clone())
            .push_bind(file.name.clone())
            .push_bind(file.content.clone())
            .push_bind(file.imported_at.micros())
            .push_bind(proposal.wording.clone())
            .push_bind(proposal.sentence.clone())
            .push_bind(proposal.place.clone());
        match &proposal.statement {
            Statement::Claim(claim) => row
                .push_bind(Some(claim.indicator.kind()))
                .push_bind(claim.indicator.to_string())
                .push_bind(INDICATES)
                .push_bind(String::new())
                .push_bind(claim.port.map(i64::from))
                .push_bind(claim.protocol.map(i64::from))
                .push_bind(Some(claim.validity.from.micros()))
                .push_bind(Some(claim.validity.until.micros()))
                .push_bind(Some(claim.basis.word()))
                .push_bind(claim.cluster.as_ref().map(|id| id.0.to_string()))
                .push_bind(claim.tools.join(LIST_BREAK))
                .push_bind(claim.confidence.map(i64::from))
                .push_bind(None::<String>)
                .push_bind(claim.source.to_string())
                .push_bind(claim.published.map(|time| time.micros()))
                .push_bind(claim.tlp.map(|tlp| tlp.word())),
            Statement::Assertion(said) => row
                .push_bind(None::<&str>)
                .push_bind(said.subject.clone())
                .push_bind(said.relation.word())
                .push_bind(said.object.clone())
                .push_bind(None::<i64>)
                .push_bind(None::<i64>)
                .push_bind(said.window.map(|window| window.from.micros()))
                .push_bind(said.window.map(|window| window.until.micros()))
                .push_bind(None::<&str>)
                .push_bind(None::<String>)
                .push_bind(String::new())
                .push_bind(said.confidence.map(i64::from))
                .push_bind(said.asserted_by.clone())
                .push_bind(said.source.to_string())
                .push_bind(said.published.map(|time| time.micros()))
                .push_bind(said.tlp.map(|tlp| tlp.word())),
        };
    });
    let done = statement.build().execute(&mut **transaction).await?;
    Ok((done.last_insert_rowid(), true))
}

fn kept(row: &SqliteRow, shared: &mut Shared) -> Result<Kept, sqlx::Error> {
    let time = |column| -> Result<Option<Timestamp>, sqlx::Error> {
        Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_micros))
    };
    let window = match (time("valid_from")?, time("valid_until")?) {
        (Some(from), Some(until)) => Some(Window { from, until }),
        _ => None,
    };
    let source = shared.get(row.try_get("source")?);
    let published = time("published")?;
    let tlp = row.try_get::<Option<&str>, _>("tlp")?.map(|tlp| word(tlp, Tlp::from_word)).transpose()?;
    let statement = match row.try_get::<Option<&str>, _>("kind")? {
        Some(kind) => Statement::Claim(Claim {
            indicator: indicator(kind, row.try_get("subject")?)?,
            port: optional(row, "port")?,
            protocol: optional(row, "protocol")?,
            validity: window.unwrap_or(Window::ALL),
            basis: word(
                row.try_get::<Option<&str>, _>("basis")?.unwrap_or_default(),
                WindowBasis::from_word,
            )?,
            cluster: row.try_get::<Option<&str>, _>("cluster")?.map(|id| ClusterId(shared.get(id))),
            tools: list(row.try_get("tools")?),
            source,
            place: row.try_get("place")?,
            published,
            confidence: optional(row, "confidence")?,
            tlp,
            revoked: false,
        }),
        None => Statement::Assertion(Assertion {
            subject: row.try_get("subject")?,
            relation: word(row.try_get("relation")?, Relation::from_word)?,
            object: row.try_get("object")?,
            window,
            asserted_by: row.try_get("asserted_by")?,
            source,
            published,
            confidence: optional(row, "confidence")?,
            tlp,
        }),
    };
    Ok(Kept {
        id: number(row, "id")?,
        file: row.try_get("file")?,
        proposal: Proposal {
            statement,
            wording: row.try_get("wording")?,
            sentence: row.try_get("sentence")?,
            place: row.try_get("place")?,
        },
        accepted: optional(row, "accepted")?,
    })
}
