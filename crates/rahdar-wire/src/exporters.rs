//! The names of exporters that an input tells record by record.

use std::collections::HashMap;
use std::sync::Arc;

use rahdar_model::FlowRecord;

use crate::Options;

/// Names that are remembered. Chosen here: more sensors and interfaces than one file tells of; when
/// there are more, they are forgotten and remembered again.
const NAMES_MAX: usize = 4_096;

/// The longest name that is kept; the rest of a longer one is cut off. Chosen here: a host name has
/// 253 octets at most (RFC 1035 §2.3.4).
const NAME_OCTETS_MAX: usize = 253;

/// Sets the exporter of records without allocating one name twice.
pub(crate) struct Exporters {
    /// Whether the operator names the exporter of all.
    is_given: bool,
    names: HashMap<Box<[u8]>, Arc<str>>,
}

impl Exporters {
    pub(crate) fn new(options: &Options) -> Self {
        Self { is_given: options.exporter.is_some(), names: HashMap::new() }
    }

    /// Names the exporter of a record, unless the operator has.
    pub(crate) fn name(&mut self, name: &[u8], record: &mut FlowRecord) {
        let name = &name[..name.len().min(NAME_OCTETS_MAX)];
        if self.is_given || record.exporter.as_bytes() == name {
            return;
        }
        if let Some(known) = self.names.get(name) {
            record.exporter = known.clone();
            return;
        }
        if self.names.len() == NAMES_MAX {
            self.names.clear();
        }
        record.exporter = String::from_utf8_lossy(name).into();
        self.names.insert(name.into(), record.exporter.clone());
    }
}
