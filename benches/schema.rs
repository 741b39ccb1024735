//! Parts of the schema module.

use fluxwright::schema::Pack;
use fluxwright::schema::kustomize::OpenApi;

fn main() {
    divan::main();
}

/// What the first question costs beyond later ones.
#[divan::bench]
fn open_the_kustomize_pack() -> Pack {
    Pack::open(include_bytes!("../schemas/kustomize.pack")).expect("a pack")
}

/// The way from a kind to the environment of its containers.
#[divan::bench]
fn look_up_a_merge_key(bencher: divan::Bencher) {
    let api = OpenApi::new();
    bencher.bench(|| {
        let mut schema = api.kind("apps/v1", "Deployment")?;
        for field in ["spec", "template", "spec", "containers"] {
            schema = schema.field(field)?;
        }
        Some(schema.elements()?.field("env")?.patch_strategy_and_keys())
    });
}
