//! What reading and rendering tell, and settings themselves: the rules that
//! have no function here.

use super::{Check, Rule};
use crate::diag::Severity;

pub(super) static IGNORE_ENDED: Rule = Rule {
    id: "config/ignore-ended",
    severity: Severity::Warning,
    title: "an ignore whose last day has passed",
    why: "Findings that were accepted for a time are shown again when that time is over.",
    mend: "Mend what the ignore hid, or give it a later date and say why.",
    bad: "",
    good: "",
    check: Check::Rendering,
};

pub(super) static SOURCE_UNAVAILABLE: Rule = Rule {
    id: "source/unavailable",
    severity: Severity::Info,
    title: "a source whose content is not at hand",
    why: "What comes out of another repository, a registry or a bucket can only be looked at \
          where it is at hand; rules say less about what depends on it.",
    mend: "Give a folder or an archive that stands in for it with `--local-sources`.",
    bad: "",
    good: "",
    check: Check::Rendering,
};
