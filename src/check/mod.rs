//! Rules over what a repository renders.
//!
//! In: a [`Repository`] and a [`View`] for each of its clusters, with all that
//! Flux would apply there. Out: findings, each with a rule, a place and what to
//! do, in an order that threads do not show in.
//!
//! # How a rule is made
//!
//! A rule is one file in the room of its family (`dag/cycle.rs`) with a
//! `pub(in crate::check) static RULE: Rule` and a function, and one line in
//! [`RULES`]. The function sees a [`View`] (or, for what is about files
//! rather than about a cluster, the [`Repository`]) and pushes findings to an
//! [`Out`]:
//!
//! ```text
//! fn check(view: &View<'_>, out: &mut Out<'_>) {
//!     for applied in view.of_kind(SOURCE, "GitRepository") {
//!         let Some(url) = applied.at(&["spec", "url"]) else { continue };
//!         out.push(
//!             out.about(applied, url.span(), "the address is not encrypted")
//!                 .path("/spec/url")
//!                 .help("write `https://`"),
//!         );
//!     }
//! }
//! ```
//!
//! - Rules look at objects as they are applied ([`View::of_kind`],
//!   [`View::find`], [`View::objects`]), never at files by themselves; the
//!   span of every node leads to the line that decided it.
//! - The default severity is the rule's; `.severity(…)` gives a finding another
//!   one. What only the cluster can know (a Secret that is not in the
//!   repository, objects of a chart that is not at hand) is a warning at most:
//!   ask [`View::is_complete`] before saying that a Flux object does not exist.
//! - `bad` and `good` are repositories as text, see [`example`]; a test sees
//!   the rule find something in the one and nothing in the other, and no rule
//!   find an error in the good one. They are printed by `fluxwright rule ID`
//!   and in `docs/rules.md`, so keep them short.
//! - What rendering itself tells has rules too, with [`Check::Rendering`].
//!   Every id that the program can print is registered; a test looks for others
//!   in the sources.
//!
//! - [`schemas`]: objects against the schemas of their kinds

mod api;
mod auto;
pub mod candidates;
mod dag;
pub mod example;
mod files;
mod flux;
mod helm;
mod image;
mod list;
mod notify;
mod out;
mod own;
mod pin;
mod place;
mod rbac;
pub mod reference;
mod references;
mod rendering;
mod rule;
mod run;
mod schema;
pub mod schemas;
mod secret;
pub mod settings;
mod source;
mod subst;
mod tenancy;
mod trust;
mod view;

pub use files::reach::files_read;
pub use list::{RULES, rule};
pub use out::Out;
pub use rbac::least::{Needed, needed};
pub use rule::{Check, Rule};
pub use run::run;
pub use view::{Applied, Repository, View};
