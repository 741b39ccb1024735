//! OCI manifests: which layer of an artifact is meant.

use crate::artifact::Digest;
use crate::diag::{Error, Result};
use crate::flux::api::OciSpec;

/// The media type of the layer that holds a Helm chart.
pub(super) const CHART_LAYER: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// What a manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Manifest {
    /// The layers of an artifact.
    Layers(Vec<Layer>),
    /// Manifests, one of which is meant.
    Index(Digest),
}

/// A layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) media_type: String,
    pub(super) digest: Digest,
    pub(super) size_bytes: u64,
}

/// Reads a manifest.
///
/// # Errors
///
/// `oci/invalid`.
pub(super) fn read(bytes: &[u8]) -> Result<Manifest> {
    let manifest: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|e| invalid(&e.to_string()))?;
    let list = |key: &str| manifest.get(key).and_then(|v| v.as_array());
    if let Some(manifests) = list("manifests") {
        // Compat: go-containerregistry remote/index.go childByPlatform: linux/amd64,
        // and what says nothing of platforms counts as that.
        let is_default = |m: &&serde_json::Value| {
            let Some(platform) = m.get("platform") else {
                return true;
            };
            let is = |key: &str, wanted: &str| {
                platform.get(key).and_then(|v| v.as_str()) == Some(wanted)
            };
            is("os", "linux") && is("architecture", "amd64")
        };
        let chosen = manifests
            .iter()
            .find(is_default)
            .ok_or_else(|| invalid("its index has no entry for linux/amd64"))?;
        return digest_of(chosen).map(Manifest::Index);
    }
    let layers = list("layers").ok_or_else(|| invalid("it has no layers"))?;
    let layers = layers.iter().map(|layer| {
        let media_type = layer.get("mediaType").and_then(|v| v.as_str());
        Ok(Layer {
            media_type: media_type.unwrap_or_default().to_owned(),
            digest: digest_of(layer)?,
            size_bytes: layer
                .get("size")
                .and_then(serde_json::Value::as_u64)
                .unwrap_or_default(),
        })
    });
    Ok(Manifest::Layers(layers.collect::<Result<_>>()?))
}

/// Whether a manifest is that of a Sigstore bundle.
pub(super) fn is_bundle(bytes: &[u8]) -> bool {
    let Ok(manifest) = serde_json::from_slice::<serde_json::Value>(bytes) else {
        return false;
    };
    let layers = manifest.get("layers").and_then(|v| v.as_array());
    let layers = layers.into_iter().flatten();
    let types = layers.filter_map(|layer| layer.get("mediaType"));
    types
        .chain(manifest.get("artifactType"))
        .filter_map(|kind| kind.as_str())
        .any(is_bundle_type)
}

/// Whether a media type is that of a Sigstore bundle.
pub(super) fn is_bundle_type(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.dev.sigstore.bundle")
}

/// The layer that an OCIRepository takes.
///
/// Compat: source-controller `ocirepository_controller.go` `selectLayer`.
///
/// # Errors
///
/// `oci/layer` where there is none.
pub(super) fn select<'l>(layers: &'l [Layer], spec: &OciSpec) -> Result<&'l Layer> {
    match &spec.layer_media_type {
        Some(wanted) => by_media_type(layers, wanted),
        None => layers.first().ok_or_else(|| {
            Error::new("oci/layer", "the artifact has no layers").help("is it the right one?")
        }),
    }
}

/// The layer of a media type.
///
/// # Errors
///
/// As [`select`].
pub(super) fn by_media_type<'l>(layers: &'l [Layer], wanted: &str) -> Result<&'l Layer> {
    layers
        .iter()
        .find(|l| l.media_type == wanted)
        .ok_or_else(|| {
            let types: Vec<&str> = layers.iter().map(|l| l.media_type.as_str()).collect();
            Error::new(
                "oci/layer",
                format!("the artifact has no layer of the media type `{wanted}`"),
            )
            .help(format!("it has `{}`", types.join("`, `")))
        })
}

fn digest_of(descriptor: &serde_json::Value) -> Result<Digest> {
    let text = descriptor.get("digest").and_then(|v| v.as_str());
    Digest::parse(text.unwrap_or_default()).map_err(|e| invalid(e.message()))
}

fn invalid(why: &str) -> Error {
    Error::new(
        "oci/invalid",
        format!("the OCI manifest cannot be used: {why}"),
    )
    .help("is the address that of an artifact in an OCI registry?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(types: &[&str]) -> Vec<Layer> {
        let types = types.iter().map(|t| Layer {
            media_type: (*t).to_owned(),
            digest: Digest::of(t.as_bytes()),
            size_bytes: 1,
        });
        types.collect()
    }

    #[test]
    fn the_first_layer_or_the_one_that_is_named() {
        let layers = layers(&["a", "b"]);
        let named = |name: Option<&str>| OciSpec {
            layer_media_type: name.map(Into::into),
            ..OciSpec::default()
        };
        assert_eq!(select(&layers, &named(None)).unwrap().media_type, "a");
        assert_eq!(select(&layers, &named(Some("b"))).unwrap().media_type, "b");
        let error = select(&layers, &named(Some("c"))).unwrap_err();
        assert_eq!(error.rule(), "oci/layer");
        assert_eq!(error.help_text(), Some("it has `a`, `b`"));
        assert!(select(&[], &named(None)).is_err());
    }

    #[test]
    fn indexes_lead_to_one_manifest() {
        let digest = Digest::of(b"x");
        let index = format!(
            r#"{{"manifests": [{{"digest": "{digest}", "platform": {{"os": "linux", "architecture": "amd64"}}}}]}}"#
        );
        assert_eq!(read(index.as_bytes()).unwrap(), Manifest::Index(digest));
        let arm =
            r#"{"digest": "sha256:00", "platform": {"os": "linux", "architecture": "arm64"}}"#;
        let any = format!(r#"{{"manifests": [{arm}, {{"digest": "{digest}"}}]}}"#);
        assert_eq!(read(any.as_bytes()).unwrap(), Manifest::Index(digest));
        let others = format!(r#"{{"manifests": [{arm}]}}"#);
        assert_eq!(read(others.as_bytes()).unwrap_err().rule(), "oci/invalid");
        for bad in [
            "",
            "{}",
            r#"{"manifests": []}"#,
            r#"{"layers": [{"digest": "sha512:00"}]}"#,
        ] {
            assert_eq!(read(bad.as_bytes()).unwrap_err().rule(), "oci/invalid");
        }
    }
}
