//! Every figure of rahdar, once, as SVG with its table.
//!
//! The page, the report and the command line all show the same drawing. In reading order:
//!
//! * [`lanes`]: who was on one victim, and when. One lane a cluster.
//! * [`bars`]: how much left each day, with its bounds.
//! * [`validity`]: when infrastructure was claimed to be hostile, against when it was met.
//! * [`table`]: the same data for those who read rather than look.
//! * [`octets`] and [`legible`]: numbers and foreign text as people can read them, in figures
//!   and in sentences.
//! * [`ink`]: the colours, and the style sheet that makes a figure follow its page.
//!
//! Inside, `axis` places times and octets, `frame` draws what all figures share, `drawing`
//! writes the SVG and escapes every text.
//!
//! A figure carries no script, no font, no link and no identifier. It is readable in grey: tone,
//! shape and label say whatever colour says. The same input gives the same octets. This crate
//! judges nothing and reads no clock.

pub mod bars;
pub mod ink;
pub mod lanes;
pub mod legible;
pub mod octets;
pub mod table;
pub mod validity;

mod axis;
mod drawing;
mod frame;

pub use bars::Bars;
pub use lanes::{Lane, Lanes};
pub use table::Table;
pub use validity::Validity;

/// One figure: a drawing, and the same data as a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// A complete `<svg>` element, all text escaped: it may stand alone or inside HTML.
    pub svg: String,
    /// What the drawing says, in rows; complete even where the drawing has a limit.
    pub table: Table,
}
