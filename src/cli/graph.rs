//! `fluxwright graph`: what waits for what.

use std::io;
use std::sync::Arc;

use clap::ValueEnum;

use super::output::{self, Exit};
use super::settings::{Extent, RepositoryArgs};
use crate::diag::{Findings, Result, SourceMap};
use crate::graph::Graph;
use crate::report::graph;

/// Show in which order things become ready
///
/// Kustomizations, HelmReleases and sources, the waves in which they become
/// ready, and the longest chain of them.
///
/// Examples:
///   fluxwright graph                               # all clusters, as text
///   fluxwright graph clusters/production --output mermaid
///   fluxwright graph --entry production --output dot | dot -Tsvg
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,

    /// The form of the graph
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Waves and the longest chain
    Text,
    /// A flow chart for Mermaid
    Mermaid,
    /// A directed graph for Graphviz
    Dot,
    /// Items, edges and waves of each cluster
    Json,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let sources = Arc::new(SourceMap::new());
        let graphs = match self.repository.with_jobs(|| self.graphs(&sources)) {
            Ok(graphs) => graphs,
            Err(e) => {
                output::error_at(&e, &sources);
                return Ok(Exit::Failed);
            }
        };
        let mut out = String::new();
        let mut values = Vec::new();
        for (number, (name, found)) in graphs.iter().enumerate() {
            if number > 0 && !matches!(self.output, Format::Json) {
                out.push('\n');
            }
            match self.output {
                Format::Text => out.push_str(&graph::text(name, found, &found.waves())),
                Format::Mermaid => out.push_str(&graph::mermaid(found)),
                Format::Dot => out.push_str(&graph::dot(found)),
                Format::Json => values.push(graph::value(name, found, &found.waves())),
            }
        }
        if matches!(self.output, Format::Json) {
            out = serde_json::to_string_pretty(&values).unwrap_or_default();
            out.push('\n');
        }
        output::stdout(out.as_bytes())?;
        Ok(Exit::Done)
    }

    fn graphs(&self, sources: &Arc<SourceMap>) -> Result<Vec<(Arc<str>, Graph)>> {
        let repository = self.repository.open(sources)?;
        let mut graphs = Vec::new();
        for entry in &repository.entries {
            // What could not be rendered is `check`'s to tell.
            let mut told = Findings::new();
            let (_, cluster) =
                self.repository
                    .render(&repository, entry, Extent::WHOLE, &mut told)?;
            graphs.push((entry.name.clone(), Graph::of(&cluster)));
        }
        Ok(graphs)
    }
}
