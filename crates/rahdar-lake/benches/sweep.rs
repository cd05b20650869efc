//! Sweeps a lake for a list of addresses and prints the sightings and their octets:
//! `sweep LAKE CLAIMS`. Run by `benches/run`, which times the whole process.

use std::error::Error;
use std::path::Path;

use rahdar_lake::Lake;
use rahdar_model::{FlowStore, Prefix, Window};

#[expect(clippy::print_stdout, reason = "the answer is what the benchmark compares")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(lake), Some(claims)) = (args.next(), args.next()) else {
        return Err("usage: sweep LAKE CLAIMS".into());
    };
    let claims = std::fs::read_to_string(claims)?;
    let networks: Vec<Prefix> = claims.lines().map(str::parse).collect::<Result<_, _>>()?;
    let (mut sightings, mut octets) = (0_u64, 0_u64);
    Lake::open(Path::new(&lake))?.sightings(&networks, Window::ALL, &mut |sighting| {
        sightings += 1;
        octets += sighting.flow.octets;
    })?;
    println!("{sightings} {octets}");
    Ok(())
}
