//! What Helm charts render to, by whoever can render them.

use crate::diag::{Error, Result};
use crate::kustomize::ChartRequest;
use crate::kustomize::build::Context;
use crate::kustomize::documents;
use crate::kustomize::file::{HelmChart, HelmGlobals};
use crate::kustomize::loader::Loader;
use crate::kustomize::resource::Resource;

/// Renders a chart.
///
/// # Errors
///
/// `kustomize/helm` where nothing renders charts here.
pub(super) fn generate(
    chart: &HelmChart,
    globals: &HelmGlobals,
    loader: &Loader<'_>,
    context: &mut Context<'_>,
) -> Result<Vec<Resource>> {
    let Some(charts) = context.options.charts else {
        return Err(Error::new(
            "kustomize/helm",
            format!("the chart `{}` is not rendered here", chart.name),
        )
        .at(chart.span)
        .help(
            "Flux does not render charts within kustomizations: use a HelmRelease; \
             for `fluxwright kustomize`, pass `--enable-helm`",
        ));
    };
    let documents = charts
        .inflate(&ChartRequest {
            chart,
            globals,
            files: loader.files(),
            folder: loader.root(),
        })
        .map_err(|e| e.at(chart.span))?;
    let mut resources = documents::of_nodes(documents)?;
    for resource in &mut resources {
        resource.history.is_helm_generated = true;
    }
    Ok(resources)
}
