//! What others did on the ports of one host.

use arrow::error::ArrowError;
use rahdar_model::store::{Service, StoreError};
use rahdar_model::{Address, Prefix, Window};

use super::Answer;
use crate::Lake;
use crate::networks::{NetworkSet, inside};

/// First by peer, then over peers: peers are counted exactly, each in one row.
const SQL: &str = "
    SELECT protocol, port, CAST(sum(flows) AS BIGINT) AS flows, count(*) AS peers
    FROM (SELECT protocol, port, peer_hi, peer_lo, count(*) AS flows
          FROM (SELECT protocol,
                    CASE WHEN served THEN dst_port ELSE src_port END AS port,
                    CASE WHEN served THEN src_hi ELSE dst_hi END AS peer_hi,
                    CASE WHEN served THEN src_lo ELSE dst_lo END AS peer_lo
                FROM (SELECT *, host(dst_hi, dst_lo) AS served FROM flow)
                WHERE served OR (host(src_hi, src_lo) AND src_port BETWEEN 1 AND 1023))
          GROUP BY protocol, port, peer_hi, peer_lo)
    GROUP BY protocol, port";

pub(crate) fn services(lake: &Lake, address: Address, window: Window) -> Result<Vec<Service>, StoreError> {
    let functions = [inside("host", NetworkSet::of(&[Prefix::host(address)]).into())];
    let mut services = Vec::new();
    lake.answer("counting services", window, functions, SQL, |answer| read(&answer, &mut services))?;
    services.sort_unstable();
    Ok(services)
}

fn read(answer: &Answer<'_>, services: &mut Vec<Service>) -> Result<(), ArrowError> {
    let (protocol, port) = (answer.integers("protocol")?, answer.integers("port")?);
    let (flows, peers) = (answer.integers("flows")?, answer.integers("peers")?);
    services.extend((0..answer.rows()).map(|row| Service {
        protocol: protocol.count(row),
        port: port.count(row),
        flows: flows.count(row),
        peers: peers.count(row),
    }));
    Ok(())
}
