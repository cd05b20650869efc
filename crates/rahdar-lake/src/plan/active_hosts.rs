//! How many addresses are an end of some flow.

use rahdar_model::store::StoreError;
use rahdar_model::{Prefix, Window};

use crate::Lake;
use crate::networks::{NetworkSet, inside};

pub(crate) fn active_hosts(lake: &Lake, networks: &[Prefix], window: Window) -> Result<u64, StoreError> {
    let ends = "SELECT src_hi AS hi, src_lo AS lo FROM flow UNION SELECT dst_hi, dst_lo FROM flow";
    let condition = if networks.is_empty() { "" } else { " WHERE known(hi, lo)" };
    let sql = format!("SELECT count(*) AS hosts FROM ({ends}){condition}");
    let functions = [inside("known", NetworkSet::of(networks).into())];
    let mut hosts = 0;
    lake.answer(&lake.flows, "counting hosts", window, functions, &sql, |answer| {
        hosts = answer.integers("hosts")?.count(0);
        Ok(())
    })?;
    Ok(hosts)
}
