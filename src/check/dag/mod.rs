//! What waits for what, and whether it can end.

pub(super) mod cycle;
pub(super) mod definition_order;
pub(super) mod health_expr;
pub(super) mod needless_edge;
pub(super) mod ready_expr;
pub(super) mod suspended;
