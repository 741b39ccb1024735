//! What waits for what, and whether it can end.

/// A Kustomization of the folder of its name, for examples; more fields of its
/// `spec` may follow.
macro_rules! kustomization {
    ($name:literal) => {
        kustomization!($name, "")
    };
    ($name:literal, $more:literal) => {
        concat!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: ",
            $name,
            "\n  namespace: flux-system\nspec:\n  interval: 10m\n  path: ./",
            $name,
            "\n  prune: true\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n",
            $more
        )
    };
}

pub(super) mod cycle;
pub(super) mod definition_order;
pub(super) mod health_expr;
pub(super) mod needless_edge;
pub(super) mod ready_expr;
pub(super) mod suspended;

#[cfg(test)]
mod testing {
    /// A Kustomization of `path` behind a `---`, with more fields.
    pub(super) fn kustomization(name: &str, path: &str, more: &str) -> String {
        let text = kustomization!("NAME");
        let text = text.replace("./NAME", &format!("./{path}"));
        format!("---\n{}{more}", text.replace("NAME", name))
    }
}
