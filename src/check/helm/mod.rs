//! Releases of charts.

pub(super) mod unused_values;
