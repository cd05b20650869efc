//! Samples: how often the lower bound of octets holds (`methods.md` §1.5).

use rahdar_hunt::sampling::{PacketSizes, SampledSum};

use super::{Draw, draws, tolerance};

/// Packets sampled at 1:1000 of four mixes of sizes, in flow records of up to ten: the truth lies above the bound of
/// 95 % in 951 to 1,000 of 1,000 draws.
#[test]
fn the_table_of_lower_bounds() {
    const INTERVAL: u32 = 1_000;
    let runs = draws(300, 20_000);
    let sizes = PacketSizes { least: 40, most: 1_500 };
    // The share of large packets, and both sizes.
    let mixes = [
        ("uploads", 0.95, 1_500, 40),
        ("half and half", 0.5, 1_500, 40),
        ("acknowledgements", 0.1, 1_500, 40),
        ("rare large packets", 0.01, 1_500, 60),
    ];
    for (name, share, large, small) in mixes {
        for sampled in [2.0, 10.0, 50.0, 500.0] {
            let truth = f64::from(INTERVAL) * sampled * (share * large as f64 + (1.0 - share) * small as f64);
            let mut held = 0;
            for run in 0..runs {
                let mut draw = Draw::of(run as u64);
                let mut sum = SampledSum::default();
                let mut left = poisson(sampled, &mut draw);
                while left > 0 {
                    let packets = left.min(1 + (draw.unit() * 10.0) as u64);
                    let octets = (0..packets).map(|_| if draw.chance(share) { large } else { small }).sum();
                    sum.add_packets(INTERVAL, packets, octets, sizes);
                    left -= packets;
                }
                held += usize::from(sum.low(0.05) <= truth);
            }
            let got = held as f64 / runs as f64;
            eprintln!("{name}, {sampled} packets sampled: {got:.3}");
            assert!(got >= 0.951 - tolerance(0.951, runs, 0.0), "{name}, {sampled}: {got}");
        }
    }
}

/// A count of what comes by chance, so many on average.
fn poisson(mean: f64, draw: &mut Draw) -> u64 {
    let (mut count, mut at) = (0, draw.exponential(1.0));
    while at < mean {
        count += 1;
        at += draw.exponential(1.0);
    }
    count
}
