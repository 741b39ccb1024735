//! Generators: objects that a kustomization describes instead of naming files.

mod chart;
mod config_map;
mod iam_policy;
mod key_values;

pub(super) use iam_policy::IamPolicy;

use super::build::Context;
use super::file::{GeneratorArgs, HelmChart, HelmGlobals, Kustomization, Text};
use super::loader::Loader;
use super::resource::Resource;
use crate::diag::{Result, Span};

/// Something that makes objects.
#[derive(Clone, Debug)]
pub(super) enum Generator {
    /// A ConfigMap or a Secret.
    Data(Box<GeneratorArgs>),
    /// What a Helm chart renders to.
    Chart(Box<(HelmChart, HelmGlobals)>),
    /// A service account for a cloud's own.
    IamPolicy(Box<IamPolicy>),
}

impl Generator {
    /// The place that asks for it.
    pub(super) fn span(&self) -> Span {
        match self {
            Generator::Data(args) => args.span,
            Generator::Chart(chart) => chart.0.span,
            Generator::IamPolicy(policy) => policy.span,
        }
    }

    /// The objects it makes.
    pub(super) fn generate(
        &self,
        loader: &Loader<'_>,
        context: &mut Context<'_>,
    ) -> Result<Vec<Resource>> {
        match self {
            Generator::Data(args) => Ok(vec![config_map::generate(args, loader, context)?]),
            Generator::Chart(chart) => chart::generate(&chart.0, &chart.1, loader, context),
            Generator::IamPolicy(policy) => Ok(vec![policy.generate()?]),
        }
    }
}

/// The generators that a kustomization configures, in their order, each with
/// the name that kustomize has for it.
pub(super) fn configured(
    kustomization: &Kustomization,
    chart_namespace: &Text,
) -> Vec<(&'static str, Generator)> {
    let mut generators = Vec::new();
    let data = |args: &GeneratorArgs| {
        let mut args = args.clone();
        if let Some(global) = &kustomization.generator_options {
            args.options.get_or_insert_default().merge(global);
        }
        Generator::Data(Box::new(args))
    };
    for args in &kustomization.config_map_generator {
        generators.push(("ConfigMapGenerator", data(args)));
    }
    for args in &kustomization.secret_generator {
        generators.push(("SecretGenerator", data(args)));
    }
    for chart in &kustomization.helm_charts {
        let mut chart = chart.clone();
        if chart.namespace.is_empty() {
            let own = &kustomization.namespace;
            let namespace = if own.is_empty() { chart_namespace } else { own };
            chart.namespace = namespace.clone();
        }
        let chart = Box::new((chart, kustomization.helm_globals.clone()));
        generators.push(("HelmChartInflationGenerator", Generator::Chart(chart)));
    }
    generators
}
