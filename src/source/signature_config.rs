//! The configuration of manifests that hold signatures beside an artifact.
//!
//! In: the digests of their layers. Out: the bytes, as cosign writes them but for
//! the history.

/// The configuration of a manifest of signatures, which nobody runs: the digests
/// of its layers, without which cosign adds none.
pub fn of_layers<'d>(layers: impl Iterator<Item = &'d str>) -> Vec<u8> {
    let layers: Vec<&str> = layers.collect();
    let config = serde_json::json!({
        "architecture": "",
        "config": {},
        "created": "0001-01-01T00:00:00Z",
        "os": "",
        "rootfs": {"diff_ids": layers, "type": "layers"},
    });
    serde_json::to_vec(&config).unwrap_or_default()
}
