//! Sets of networks, of ten or of a million, as something that a scan can ask of each row.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray};
use arrow::buffer::{BooleanBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::exec_err;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use rahdar_model::{Address, Prefix};

/// Bits of the first look per host: one row in sixteen that is not a host gets a second look.
/// Chosen here: at a million hosts the bits take 2 MiB and stay in a cache.
const BITS_PER_HOST: usize = 16;

/// Networks of any size, asked by address.
#[derive(Debug)]
pub(crate) struct NetworkSet {
    /// Sorted, none in `ranges`.
    hosts: Vec<u128>,
    /// The bit of every host is set. A power of two of bits.
    seen: Vec<u64>,
    /// First and last address, sorted, disjoint.
    ranges: Vec<(u128, u128)>,
}

impl NetworkSet {
    /// The union of `networks`.
    pub(crate) fn of(networks: &[Prefix]) -> Self {
        let mut broad: Vec<Prefix> = networks.iter().filter(|network| !network.is_host()).copied().collect();
        broad.sort_unstable();
        let mut ranges: Vec<(u128, u128)> = Vec::new();
        for network in broad {
            // Two prefixes are disjoint or one holds the other; the wider comes first.
            if ranges.last().is_none_or(|(_, last)| network.first().bits() > *last) {
                ranges.push((network.first().bits(), network.last().bits()));
            }
        }
        let mut hosts: Vec<u128> = networks
            .iter()
            .filter(|network| network.is_host() && !in_ranges(&ranges, network.first().bits()))
            .map(|network| network.first().bits())
            .collect();
        hosts.sort_unstable();
        hosts.dedup();
        let words = (hosts.len() * BITS_PER_HOST / 64).next_power_of_two();
        let mut set = Self { seen: vec![0; words], hosts, ranges };
        for index in 0..set.hosts.len() {
            let (word, bit) = set.bit(set.hosts[index]);
            set.seen[word] |= bit;
        }
        set
    }

    /// Whether `address` is in one of the networks.
    pub(crate) fn contains(&self, address: Address) -> bool {
        let bits = address.bits();
        let (word, bit) = self.bit(bits);
        (self.seen[word] & bit != 0 && self.hosts.binary_search(&bits).is_ok())
            || in_ranges(&self.ranges, bits)
    }

    fn bit(&self, bits: u128) -> (usize, u64) {
        // Fibonacci hashing of both halves; the best-mixed bits are the highest.
        let folded = (bits >> 64) as u64 ^ (bits as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let hash = folded.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (hash >> 32) as usize & (self.seen.len() - 1);
        (word, 1 << (hash >> 26 & 63))
    }
}

fn in_ranges(ranges: &[(u128, u128)], bits: u128) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= bits);
    after > 0 && bits <= ranges[after - 1].1
}

/// The function `name(hi, lo [, hi, lo])`: whether an address, or one of two, is in the set.
///
/// It reads address columns only, so the Parquet reader decodes the others for the rows that
/// pass, and both ends are looked up in one scan.
pub(crate) fn inside(name: &str, set: Arc<NetworkSet>) -> ScalarUDF {
    let pairs = |count: usize| TypeSignature::Exact(vec![DataType::Int64; 2 * count]);
    let signature = Signature::one_of(vec![pairs(1), pairs(2)], Volatility::Immutable);
    ScalarUDF::from(Inside { name: name.to_owned(), signature, set })
}

#[derive(Debug)]
struct Inside {
    name: String,
    signature: Signature,
    set: Arc<NetworkSet>,
}

impl PartialEq for Inside {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.set, &other.set)
    }
}

impl Eq for Inside {}

impl Hash for Inside {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.set).hash(state);
    }
}

impl ScalarUDFImpl for Inside {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let halves = ColumnarValue::values_to_arrays(&arguments.args)?;
        let columns: Vec<&ScalarBuffer<i64>> =
            halves.iter().map(|half: &ArrayRef| half.as_primitive::<Int64Type>().values()).collect();
        let holds = |hi: &ScalarBuffer<i64>, lo: &ScalarBuffer<i64>, row: usize| {
            self.set.contains(Address::from_halves(hi[row], lo[row]))
        };
        let rows = arguments.number_rows;
        let answer = match columns[..] {
            [hi, lo] => BooleanBuffer::collect_bool(rows, |row| holds(hi, lo, row)),
            [hi, lo, other_hi, other_lo] => {
                BooleanBuffer::collect_bool(rows, |row| holds(hi, lo, row) || holds(other_hi, other_lo, row))
            }
            _ => return exec_err!("{} takes one or two addresses", self.name),
        };
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(answer, None))))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rahdar_testkit::{prefix, strategy};

    use super::*;

    #[test]
    fn wide_networks_swallow_narrow_ones() {
        let set = NetworkSet::of(&["192.0.2.0/24", "192.0.2.128/25", "192.0.2.7", "192.0.3.1"].map(prefix));
        assert_eq!((set.ranges.len(), set.hosts.len()), (1, 1));
    }

    #[test]
    fn no_network_holds_nothing() {
        assert!(!NetworkSet::of(&[]).contains(Address::UNSPECIFIED));
    }

    proptest! {
        #[test]
        fn a_set_answers_as_its_networks_do(networks in strategy::networks(12), address in strategy::address()) {
            let expected = networks.iter().any(|network| network.contains(address));
            prop_assert_eq!(NetworkSet::of(&networks).contains(address), expected);
        }
    }
}
