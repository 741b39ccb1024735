//! What reading and rendering tell, and settings themselves: the rules that
//! have no function here.

use super::{Check, Rule};
use crate::diag::Severity;

/// A rule that reading or rendering tells.
pub(super) const fn told(
    id: &'static str,
    severity: Severity,
    title: &'static str,
    why: &'static str,
    mend: &'static str,
) -> Rule {
    Rule {
        id,
        severity,
        title,
        why,
        mend,
        bad: "",
        good: "",
        check: Check::Rendering,
    }
}

pub(super) static API_UNKNOWN_FIELD: Rule = told(
    "api/unknown-field",
    Severity::Warning,
    "a field that this version of Flux does not have",
    "The API server drops fields that it does not know: what was written has no \
     effect.",
    "Take the field out, or raise the version of Flux (`--flux-version`).",
);

pub(super) static ARCHIVE_INVALID: Rule = told(
    "archive/invalid",
    Severity::Error,
    "an archive that cannot be unpacked",
    "A chart or a source that stands in for another cannot be read.",
    "Make the archive anew.",
);

pub(super) static CONFIG_IGNORE_ENDED: Rule = told(
    "config/ignore-ended",
    Severity::Warning,
    "an ignore whose last day has passed",
    "Findings that were accepted for a time are shown again when that time is over.",
    "Mend what the ignore hid, or give it a later date and say why.",
);

pub(super) static CONFIG_INVALID: Rule = told(
    "config/invalid",
    Severity::Error,
    "a setting that is none",
    "An unknown key, rule, version or date in `.fluxwright.yaml` would silently do \
     nothing.",
    "Correct it as the help says.",
);

pub(super) static FILE_ESCAPE: Rule = told(
    "file/escape",
    Severity::Error,
    "a path that leads out of the repository",
    "Flux reads nothing outside of an artifact, and follows no link that leads out \
     of it.",
    "Copy what is needed into the repository.",
);

pub(super) static FILE_UNREADABLE: Rule = told(
    "file/unreadable",
    Severity::Error,
    "a file that cannot be read",
    "What cannot be read cannot be applied.",
    "See what the message says: rights, encoding, size.",
);

pub(super) static FLUX_ARTIFACT: Rule = told(
    "flux/artifact",
    Severity::Error,
    "an artifact that its generator cannot make",
    "source-watcher stops at a copy operation that matches nothing or leads out of \
     the artifact, and what is deployed stays as it was.",
    "Correct the `copy` or `pathPattern` that is named.",
);

pub(super) static FLUX_VERSION: Rule = told(
    "flux/version",
    Severity::Warning,
    "a version of Flux that is not known",
    "What that version does differently is not known here; the nearest one is used.",
    "Choose one with `--flux-version`.",
);

pub(super) static HELM_CHART_INVALID: Rule = told(
    "helm/chart-invalid",
    Severity::Error,
    "a chart that Helm refuses",
    "The release is never installed.",
    "Mend the chart at the place that is shown.",
);

pub(super) static HELM_CHART_MISSING: Rule = told(
    "helm/chart-missing",
    Severity::Error,
    "a chart or a version that its source does not have",
    "helm-controller waits for the chart for ever.",
    "Correct the name or the version.",
);

pub(super) static HELM_DEPRECATED_CHART: Rule = told(
    "helm/deprecated-chart",
    Severity::Info,
    "a chart that is no longer maintained",
    "Its own `Chart.yaml` says so.",
    "Look for the chart that came after it.",
);

pub(super) static HELM_KUBE_VERSION: Rule = told(
    "helm/kube-version",
    Severity::Error,
    "a chart that is not for this Kubernetes",
    "Helm refuses to install a chart whose `kubeVersion` excludes the cluster's.",
    "Take another version of the chart, or give the right `--kube-version`.",
);

pub(super) static HELM_LIMIT: Rule = told(
    "helm/limit",
    Severity::Error,
    "a chart that takes too much to render",
    "Templates that call themselves, or output without end, are stopped.",
    "Mend the template that is named.",
);

pub(super) static HELM_MANIFEST_INVALID: Rule = told(
    "helm/manifest-invalid",
    Severity::Error,
    "a template that makes no object",
    "What a template prints must be YAML with `apiVersion` and `kind`.",
    "Mend the template, or the value that spoils it.",
);

pub(super) static HELM_MISSING_DEPENDENCY: Rule = told(
    "helm/missing-dependency",
    Severity::Error,
    "a dependency of a chart that is not in it",
    "Helm installs no chart whose `charts/` lacks what `Chart.yaml` names.",
    "Vendor it with `helm dependency build`.",
);

pub(super) static HELM_RELEASE_NAME: Rule = told(
    "helm/release-name",
    Severity::Error,
    "a name that no release can have",
    "Helm's names are at most 53 characters of a DNS name.",
    "Set `releaseName`.",
);

pub(super) static HELM_SCHEMA: Rule = told(
    "helm/schema",
    Severity::Error,
    "values that the chart's own schema refuses",
    "Helm does not install the release.",
    "Correct the value that is shown.",
);

pub(super) static HELM_SCHEMA_INVALID: Rule = told(
    "helm/schema-invalid",
    Severity::Error,
    "a schema of values that is none",
    "The chart's `values.schema.json` cannot be read.",
    "Mend the chart, or set `disableSchemaValidation`.",
);

pub(super) static HELM_SCHEMA_REFERENCE: Rule = told(
    "helm/schema-reference",
    Severity::Warning,
    "a schema of values that refers elsewhere",
    "What lies at an address is not fetched here, and the values were not held to \
     it.",
    "Nothing, if the chart is to be trusted with it.",
);

pub(super) static HELM_TEMPLATE_ERROR: Rule = told(
    "helm/template-error",
    Severity::Error,
    "a chart that does not render",
    "The release is never installed or upgraded.",
    "Mend the value or the template that is shown.",
);

pub(super) static HELM_TEMPLATE_MISSING: Rule = told(
    "helm/template-missing",
    Severity::Error,
    "a template that is called and not there",
    "The release is never installed or upgraded.",
    "Add the template, or vendor the chart that has it.",
);

pub(super) static HELM_UNKNOWN_HOOK: Rule = told(
    "helm/unknown-hook",
    Severity::Warning,
    "a hook of a kind that Helm does not have",
    "Helm drops the object: it is never applied.",
    "Correct the annotation `helm.sh/hook`.",
);

pub(super) static HELM_VALUES_CONFLICT: Rule = told(
    "helm/values-conflict",
    Severity::Warning,
    "a value that takes the place of a table",
    "Helm keeps one of the two and says so in its log only.",
    "Give both the same shape.",
);

pub(super) static HELM_VALUES_INVALID: Rule = told(
    "helm/values-invalid",
    Severity::Error,
    "values that cannot be read",
    "The release is never installed or upgraded.",
    "Mend the values at the place that is shown.",
);

pub(super) static HELM_VERSION_INVALID: Rule = told(
    "helm/version-invalid",
    Severity::Error,
    "a version that is none",
    "Charts have versions of three numbers, as in `1.2.3`.",
    "Correct the version.",
);

pub(super) static KUSTOMIZE_AMBIGUOUS: Rule = told(
    "kustomize/ambiguous",
    Severity::Error,
    "a name that means several resources",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_CONFLICT: Rule = told(
    "kustomize/conflict",
    Severity::Error,
    "two objects of one identity",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_CRD: Rule = told(
    "kustomize/crd",
    Severity::Error,
    "a definition that kustomize cannot use",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_CYCLE: Rule = told(
    "kustomize/cycle",
    Severity::Error,
    "a base that includes itself",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_DEPRECATED_FIELD: Rule = told(
    "kustomize/deprecated-field",
    Severity::Info,
    "a field of kustomizations that is deprecated",
    "The build is as before; the form is out of date, or the case is provided for.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_DUPLICATE_ID: Rule = told(
    "kustomize/duplicate-id",
    Severity::Error,
    "an object twice in one build",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_EMPTY: Rule = told(
    "kustomize/empty",
    Severity::Error,
    "a kustomization without anything in it",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_ENV_LINE_TOO_LONG: Rule = told(
    "kustomize/env-line-too-long",
    Severity::Error,
    "a line of an env file that is too long",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_FIELD_PATH: Rule = told(
    "kustomize/field-path",
    Severity::Error,
    "a path to a field that is not there",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_FIELD_SPEC: Rule = told(
    "kustomize/field-spec",
    Severity::Error,
    "a field specification that is none",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_GENERATOR: Rule = told(
    "kustomize/generator",
    Severity::Error,
    "a generator that fails",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_HASH: Rule = told(
    "kustomize/hash",
    Severity::Error,
    "an object whose content cannot be hashed",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_HELM: Rule = told(
    "kustomize/helm",
    Severity::Error,
    "a chart in a kustomization, which Flux does not inflate",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_IGNORED: Rule = told(
    "kustomize/ignored",
    Severity::Warning,
    "a file that the source leaves out",
    "The build goes on, but not as it was written.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_INVALID: Rule = told(
    "kustomize/invalid",
    Severity::Error,
    "a kustomization that is none",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_INVALID_FIELD: Rule = told(
    "kustomize/invalid-field",
    Severity::Error,
    "a field of the wrong kind",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_JSON_PATCH: Rule = told(
    "kustomize/json-patch",
    Severity::Error,
    "a JSON patch that fails",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_MISSING_COMPONENT: Rule = told(
    "kustomize/missing-component",
    Severity::Info,
    "a component that is missing and may be",
    "The build is as before; the form is out of date, or the case is provided for.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_NO_JSON_PATCH: Rule = told(
    "kustomize/no-json-patch",
    Severity::Error,
    "a JSON patch that is none",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_NO_OBJECT: Rule = told(
    "kustomize/no-object",
    Severity::Error,
    "a file that holds no object",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_PATCH: Rule = told(
    "kustomize/patch",
    Severity::Error,
    "a patch that fails",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_PATTERN: Rule = told(
    "kustomize/pattern",
    Severity::Error,
    "a pattern that is none",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_PLUGIN: Rule = told(
    "kustomize/plugin",
    Severity::Error,
    "a plugin, which Flux does not run",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_REMOTE: Rule = told(
    "kustomize/remote",
    Severity::Warning,
    "a remote base",
    "What is fetched from an address at every build is covered by no lockfile and no \
     signature, and Flux can be told to refuse it. Here it is not fetched at all.",
    "Vendor the base, or make it a source with a Kustomization of its own.",
);

pub(super) static KUSTOMIZE_REPLACEMENT: Rule = told(
    "kustomize/replacement",
    Severity::Error,
    "a replacement that fails",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_SELECTOR: Rule = told(
    "kustomize/selector",
    Severity::Error,
    "a selector that is none",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_SEVERAL_FILES: Rule = told(
    "kustomize/several-files",
    Severity::Error,
    "several kustomization files in one folder",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_TOO_LARGE: Rule = told(
    "kustomize/too-large",
    Severity::Error,
    "a build that grows without end",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_UNKNOWN_FIELD: Rule = told(
    "kustomize/unknown-field",
    Severity::Error,
    "a field that kustomizations do not have",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_UNNAMED: Rule = told(
    "kustomize/unnamed",
    Severity::Error,
    "an object without a name",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_UNUSED_VAR: Rule = told(
    "kustomize/unused-var",
    Severity::Warning,
    "a variable of kustomize that nothing uses",
    "The build goes on, but not as it was written.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_VALIDATOR: Rule = told(
    "kustomize/validator",
    Severity::Error,
    "a validator that refuses",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_VAR: Rule = told(
    "kustomize/var",
    Severity::Error,
    "a variable of kustomize that fails",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static KUSTOMIZE_WRONG_KIND: Rule = told(
    "kustomize/wrong-kind",
    Severity::Error,
    "a value of the wrong kind",
    "kustomize refuses the build, and Flux applies nothing of the Kustomization.",
    "Mend the place that is shown; `fluxwright kustomize DIR` builds the folder by \
     itself.",
);

pub(super) static RENDER_INCOMPLETE: Rule = told(
    "render/incomplete",
    Severity::Error,
    "something that was not rendered",
    "What it depends on could not be rendered.",
    "Mend the other findings first.",
);

pub(super) static RENDER_RANDOM: Rule = told(
    "render/random",
    Severity::Info,
    "a value that is made at random",
    "A chart makes a password or a certificate when it renders; here it is computed \
     from a seed, and is no secret.",
    "Give the chart a Secret that exists, so that it makes none.",
);

pub(super) static SCHEMA_DEFINITION: Rule = told(
    "schema/definition",
    Severity::Error,
    "a definition that is none",
    "What a CustomResourceDefinition defines cannot be checked, and the API server \
     may refuse it.",
    "Mend the definition at the place that is shown.",
);

pub(super) static SOPS_ENCRYPTED: Rule = told(
    "sops/encrypted",
    Severity::Warning,
    "an encrypted object without `spec.decryption`, or an encrypted file in a ConfigMap",
    "kustomize-controller refuses to apply a Secret that is still encrypted. Of what generators read \
     it decrypts the inputs of Secrets alone: a ConfigMap holds them as they are.",
    "Add `spec.decryption` to the Kustomization, with its provider and keys; put encrypted files into \
     a `secretGenerator`.",
);

pub(super) static SOURCE_ARTIFACT_FOLDER: Rule = told(
    "source/artifact-folder",
    Severity::Info,
    "an artifact that holds a part of the repository",
    "Paths of Kustomizations count from the root of the artifact that Flux fetches. Where \
     something pushes a folder of the repository (`flux push artifact --path`), that is this \
     folder. It is found out where no path leads anywhere from the root, and all do from one \
     folder.",
    "Say so with `artifact` for the cluster under `entries` in `.fluxwright.yaml`.",
);

pub(super) static SOURCE_UNAVAILABLE: Rule = told(
    "source/unavailable",
    Severity::Info,
    "a source whose content is not at hand",
    "What comes out of another repository, a registry or a bucket can only be looked \
     at where it is at hand; rules say less about what depends on it.",
    "Give a folder or an archive that stands in for it with `--local-sources`.",
);

pub(super) static SOURCE_VERSION: Rule = told(
    "source/version",
    Severity::Error,
    "a range that no version fits",
    "The source has no revision to fetch.",
    "Correct the range.",
);

pub(super) static SUBST_INVALID: Rule = told(
    "subst/invalid",
    Severity::Error,
    "an expression that cannot be substituted",
    "The whole Kustomization fails. The grammar is not a shell's: `docs/envsubst.md` \
     has it.",
    "Mend the expression, or write `$${` for a literal `${`.",
);

pub(super) static SUBST_INVALID_NAME: Rule = told(
    "subst/invalid-name",
    Severity::Error,
    "a variable with a name that is none",
    "The whole Kustomization fails: names are letters, digits and underscores.",
    "Rename the variable.",
);

pub(super) static SUBST_UNRESOLVED: Rule = told(
    "subst/unresolved",
    Severity::Error,
    "a variable without value and default",
    "Since Flux 2.9 the Kustomization fails; before, the variable silently became \
     empty.",
    "Give it a value or a default, or write `$${NAME}` for the text itself.",
);
