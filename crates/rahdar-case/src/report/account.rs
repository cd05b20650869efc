//! The JSON form of accounts: rivals, uploads, order in time, hypotheses, company.

use std::net::IpAddr;

use rahdar_model::account::{
    Chronology, ClusterAccount, Company, Hypothesis, Rival, Touched, Unseen, Upload,
};
use serde::Serialize;

use super::json::time;

#[derive(Debug, Serialize)]
pub(super) struct RivalJson<'a> {
    kind: &'a str,
    weight: f64,
    text: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct UploadJson<'a> {
    claim: &'static str,
    why: &'a str,
    payload_low: u64,
    balance: Option<f64>,
    shared: bool,
    unseen: Option<UnseenJson>,
}

#[derive(Debug, Serialize)]
struct UnseenJson {
    days: u32,
    high: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct ChronologyJson<'a> {
    event: &'a str,
    at: Option<String>,
    order: &'static str,
    days: i64,
    why: &'a str,
}

#[derive(Debug, Serialize)]
pub(super) struct ClusterAccountJson<'a> {
    id: &'a str,
    name: &'a str,
    hypotheses: Vec<HypothesisJson<'a>>,
    touched: Vec<TouchedJson>,
    endpoints_claimed: usize,
    endpoints_met: usize,
}

#[derive(Debug, Serialize)]
struct HypothesisJson<'a> {
    actor: Option<&'a str>,
    weight: f64,
    statements: Vec<StatementJson<'a>>,
}

#[derive(Debug, Serialize)]
struct StatementJson<'a> {
    relation: &'static str,
    source: &'a str,
    published: Option<String>,
    confidence: Option<u8>,
}

#[derive(Debug, Serialize)]
struct TouchedJson {
    address: IpAddr,
    verdict: &'static str,
    first_seen: Option<String>,
    last_seen: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct CompanyJson<'a> {
    victim: IpAddr,
    clusters: [&'a str; 2],
    relation: &'static str,
    shared_addresses: Vec<IpAddr>,
    shared_tools: &'a [String],
    common_days: u32,
    p_value: Option<f64>,
    p_adjusted: Option<f64>,
    why: &'a str,
}

impl<'a> From<&'a Rival> for RivalJson<'a> {
    fn from(rival: &'a Rival) -> Self {
        Self { kind: rival.kind, weight: hundredths(rival.weight), text: &rival.text }
    }
}

impl<'a> From<&'a Upload> for UploadJson<'a> {
    fn from(upload: &'a Upload) -> Self {
        Self {
            claim: upload.claim.word(),
            why: &upload.why,
            payload_low: upload.payload_low.floor() as u64,
            balance: upload.balance,
            shared: upload.is_shared,
            unseen: upload
                .unseen
                .map(|Unseen { days, high }| UnseenJson { days, high: high.map(|high| high.ceil() as u64) }),
        }
    }
}

impl<'a> From<&'a Chronology> for ChronologyJson<'a> {
    fn from(one: &'a Chronology) -> Self {
        Self { event: &one.event, at: time(one.at), order: one.order.word(), days: one.days, why: &one.why }
    }
}

impl<'a> From<&'a ClusterAccount> for ClusterAccountJson<'a> {
    fn from(account: &'a ClusterAccount) -> Self {
        Self {
            id: &account.id.0,
            name: &account.name,
            hypotheses: account.hypotheses.iter().map(HypothesisJson::from).collect(),
            touched: account.touched.iter().map(TouchedJson::from).collect(),
            endpoints_claimed: account.endpoints_claimed,
            endpoints_met: account.endpoints_met,
        }
    }
}

impl<'a> From<&'a Hypothesis> for HypothesisJson<'a> {
    fn from(one: &'a Hypothesis) -> Self {
        let statements = one.statements.iter().map(|said| StatementJson {
            relation: said.relation.word(),
            source: &said.source,
            published: said.published.and_then(time),
            confidence: said.confidence,
        });
        Self { actor: one.actor.as_deref(), weight: one.weight, statements: statements.collect() }
    }
}

impl From<&Touched> for TouchedJson {
    fn from(touched: &Touched) -> Self {
        Self {
            address: touched.address.to_ip(),
            verdict: touched.verdict.word(),
            first_seen: touched.first_seen.and_then(time),
            last_seen: touched.last_seen.and_then(time),
        }
    }
}

impl<'a> From<&'a Company> for CompanyJson<'a> {
    fn from(company: &'a Company) -> Self {
        let [a, b] = &company.clusters;
        Self {
            victim: company.victim.to_ip(),
            clusters: [&a.0, &b.0],
            relation: company.relation.word(),
            shared_addresses: company.shared_addresses.iter().map(|address| address.to_ip()).collect(),
            shared_tools: &company.shared_tools,
            common_days: company.common_days,
            p_value: company.p_value,
            p_adjusted: company.p_adjusted,
            why: &company.why,
        }
    }
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
