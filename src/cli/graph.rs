//! `fluxwright graph`: what waits for what.

use std::io;
use std::sync::Arc;

use clap::ValueEnum;

use super::output::{self, Exit};
use super::settings::{Extent, RepositoryArgs};
use crate::diag::{Findings, Result, SourceMap};
use crate::graph::Graph;
use crate::report::{self, graph};

/// Show in which order things become ready
///
/// Kustomizations, HelmReleases and sources, the waves in which they become
/// ready, and the longest chain of them.
///
/// Examples:
///   fluxwright graph                               # all clusters, as text
///   fluxwright graph clusters/production --output mermaid
///   fluxwright graph --entry production --output svg > graph.svg
///   fluxwright graph --entry production --output dot | dot -Tpdf > graph.pdf
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
    /// A drawing, a column for each wave
    Svg,
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
        let each = |print: &dyn Fn(&str, &Graph) -> String| {
            let parts: Vec<String> = graphs.iter().map(|(name, g)| print(name, g)).collect();
            parts.join("\n")
        };
        let out = match self.output {
            Format::Text => each(&|name, found| graph::text(name, found, &found.waves())),
            Format::Mermaid => each(&|_, found| graph::mermaid(found)),
            Format::Dot => each(&|_, found| graph::dot(found)),
            Format::Svg => report::svg(graphs.iter().map(|(name, found)| (&**name, found))),
            Format::Json => {
                let value =
                    |(name, found): &(Arc<str>, Graph)| graph::value(name, found, &found.waves());
                let values: Vec<_> = graphs.iter().map(value).collect();
                format!("{:#}\n", serde_json::Value::from(values))
            }
        };
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
            output::unverified(&told, sources);
            graphs.push((entry.name.clone(), Graph::of(&cluster)));
        }
        Ok(graphs)
    }
}
