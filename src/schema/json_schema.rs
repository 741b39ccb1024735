//! JSON schemas to packs.

use super::build::{Builder, KindDraft};
use super::compile::{Compiler, Dialect};
use super::openapi::mapping_at;
use crate::diag::Result;
use crate::yaml::Node;

/// Adds the schema of a kind.
///
/// # Errors
///
/// `schema/definition`, with the place, for what is no schema, and for
/// references to other files.
pub(super) fn add(
    builder: &mut Builder,
    api_version: &str,
    kind: &str,
    schema: &Node,
) -> Result<()> {
    let own = mapping_at(schema, "definitions")?;
    let definitions = if own.is_empty() {
        mapping_at(schema, "$defs")?
    } else {
        own
    };
    let prefix = format!("{api_version} {kind}: ");
    let mut compiler = Compiler::new(builder, Dialect::Plain, definitions, &prefix);
    let schema = compiler.root(schema)?;
    let known = KindDraft {
        schema: Some(schema),
        scope: None,
        deprecated: false,
    };
    builder.kind(api_version, kind, 0, known);
    Ok(())
}
