//! Flow logs of clouds that write JSON documents: [`azure`] and [`gcp`].
//!
//! One document may hold a day; it is read object by object ([`objects`](crate::objects)).

pub(crate) mod azure;
pub(crate) mod gcp;

use memchr::memmem;

use crate::Format;

/// The longest text of a flow that is kept; the rest of a longer one is cut off. Chosen here: states and
/// names of sides are a word.
const TEXT_OCTETS_MAX: usize = 64;

/// The format of a beginning of JSON; none if it is of no cloud.
pub(crate) fn detect(text: &[u8]) -> Option<Format> {
    let has = |key: &str| memmem::find(text, key.as_bytes()).is_some();
    if has("\"flowTuples\"") || has("\"NetworkSecurityGroupFlowEvent\"") || has("\"FlowLogFlowEvent\"") {
        return Some(Format::Azure);
    }
    (has("\"jsonPayload\"") && has("\"connection\"")).then_some(Format::Gcp)
}
