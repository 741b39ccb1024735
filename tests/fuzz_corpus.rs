//! Replays the seeds of the fuzz targets, and what they found, as ordinary
//! tests.

use std::path::Path;

#[path = "../fuzz/entries/envsubst.rs"]
mod envsubst_entries;
#[path = "../fuzz/entries/gostd.rs"]
mod gostd_entries;
#[path = "../fuzz/entries/kustomize.rs"]
mod kustomize_entries;
#[path = "../fuzz/entries/lock.rs"]
mod lock_entries;
#[path = "../fuzz/entries/rbac.rs"]
pub(crate) mod rbac_entries;
#[path = "../fuzz/entries/schema.rs"]
mod schema_entries;
#[path = "../fuzz/entries/template.rs"]
mod template_entries;
#[cfg(all(feature = "sops", feature = "verify"))]
#[path = "../fuzz/entries/trust.rs"]
mod trust_entries;
#[path = "../fuzz/entries/yaml.rs"]
pub(crate) mod yaml_entries;

#[track_caller]
fn replay(target: &str, entry: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    let mut count = 0;
    for seed in std::fs::read_dir(folder).unwrap() {
        entry(&std::fs::read(seed.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "no seeds for {target}");
}

#[test]
fn yaml_parse() {
    replay("yaml_parse", yaml_entries::parse);
}

#[test]
fn yaml_roundtrip() {
    replay("yaml_roundtrip", yaml_entries::round_trip);
}

#[test]
fn envsubst() {
    replay("envsubst", envsubst_entries::expand);
}

#[test]
fn kustomize_build() {
    replay("kustomize_build", kustomize_entries::build);
}

#[test]
fn gostd() {
    replay("gostd", gostd_entries::parse);
}

#[test]
fn rbac() {
    replay("rbac", rbac_entries::evaluate);
}

#[test]
fn cel() {
    replay("cel", schema_entries::cel);
}

#[test]
fn schema() {
    replay("schema", schema_entries::schema);
}

#[test]
fn lock() {
    replay("lock", lock_entries::round_trip);
}

#[cfg(all(feature = "sops", feature = "verify"))]
#[test]
fn git() {
    replay("git", trust_entries::git);
}

#[cfg(all(feature = "sops", feature = "verify"))]
#[test]
fn provenance() {
    replay("provenance", trust_entries::provenance);
}

#[cfg(all(feature = "sops", feature = "verify"))]
#[test]
fn cosign() {
    replay("cosign", trust_entries::cosign);
}

#[cfg(all(feature = "sops", feature = "verify"))]
#[test]
fn sops() {
    replay("sops", trust_entries::sops);
}

#[test]
fn template_parse() {
    replay("template_parse", template_entries::parse);
}

#[test]
fn template_execute() {
    replay("template_execute", template_entries::execute);
}

#[test]
fn template_printf() {
    replay("template_printf", template_entries::printf);
}

#[test]
fn chart_archive() {
    replay("chart_archive", template_entries::archive);
}
