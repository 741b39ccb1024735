//! Files of the repository and who reads them.

pub(super) mod orphan;
pub(super) mod reach;
