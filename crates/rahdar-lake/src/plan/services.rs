//! What others did on the ports of hosts.

use arrow::error::ArrowError;
use rahdar_model::store::{Service, StoreError};
use rahdar_model::{Address, Prefix, Window};

use super::Answer;
use crate::Lake;
use crate::networks::{NetworkSet, inside};

/// First by peer, then over peers: peers are counted exactly, each in one row.
const SQL: &str = "
    SELECT hi, lo, protocol, port, CAST(sum(flows) AS BIGINT) AS flows, count(*) AS peers
    FROM (SELECT hi, lo, protocol, port, peer_hi, peer_lo, count(*) AS flows
          FROM (SELECT dst_hi AS hi, dst_lo AS lo, protocol, dst_port AS port,
                    src_hi AS peer_hi, src_lo AS peer_lo
                FROM flow
                WHERE host(dst_hi, dst_lo)
                UNION ALL
                SELECT src_hi AS hi, src_lo AS lo, protocol, src_port AS port,
                    dst_hi AS peer_hi, dst_lo AS peer_lo
                FROM flow
                WHERE host(src_hi, src_lo) AND src_port BETWEEN 1 AND 1023
                    AND (src_hi <> dst_hi OR src_lo <> dst_lo))
          GROUP BY hi, lo, protocol, port, peer_hi, peer_lo)
    GROUP BY hi, lo, protocol, port";

pub(crate) fn services(lake: &Lake, hosts: &[Address], window: Window) -> Result<Vec<Service>, StoreError> {
    let hosts: Vec<Prefix> = hosts.iter().map(|host| Prefix::host(*host)).collect();
    let functions = [inside("host", NetworkSet::of(&hosts).into())];
    let mut services = Vec::new();
    lake.answer(&lake.flows, "counting services", window, functions, SQL, |answer| {
        read(&answer, &mut services)
    })?;
    services.sort_unstable();
    Ok(services)
}

fn read(answer: &Answer<'_>, services: &mut Vec<Service>) -> Result<(), ArrowError> {
    let host = answer.addresses("hi", "lo")?;
    let (protocol, port) = (answer.integers("protocol")?, answer.integers("port")?);
    let (flows, peers) = (answer.integers("flows")?, answer.integers("peers")?);
    services.extend((0..answer.rows()).map(|row| Service {
        host: host.get(row),
        protocol: protocol.count(row),
        port: port.count(row),
        flows: flows.count(row),
        peers: peers.count(row),
    }));
    Ok(())
}
