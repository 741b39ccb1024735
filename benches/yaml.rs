//! Parts of the YAML module, over generated files.
//!
//! `cargo bench --bench yaml`; the numbers stand in `docs/performance.md`.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::fmt::Write;
use std::hint::black_box;

use divan::Bencher;
use divan::counter::BytesCount;
use fluxwright::diag::FileId;
use fluxwright::yaml::resolve::Version;
use fluxwright::yaml::{self, Document, emit};

fn main() {
    divan::main();
}

/// What is read.
#[derive(Clone, Copy, Debug)]
enum Input {
    /// Deep mappings, long texts in block scalars: definitions of resources.
    Definitions,
    /// Many small documents, some comments: a folder of manifests in one file.
    Objects,
    /// A file of values, half of whose lines are comments.
    Values,
}

const INPUTS: [Input; 3] = [Input::Definitions, Input::Objects, Input::Values];

/// Numbers that look arbitrary and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn word(&mut self) -> &'static str {
        const WORDS: [&str; 24] = [
            "backend",
            "bucket",
            "cache",
            "certificate",
            "channel",
            "cluster",
            "duration",
            "endpoint",
            "gateway",
            "header",
            "interval",
            "listener",
            "metric",
            "network",
            "policy",
            "port",
            "probe",
            "queue",
            "replica",
            "route",
            "schedule",
            "selector",
            "storage",
            "volume",
        ];
        WORDS[self.roll(WORDS.len())]
    }

    fn sentence(&mut self, words: usize) -> String {
        let mut text = String::from("The");
        for _ in 0..words {
            text.push(' ');
            text.push_str(self.word());
        }
        text.push('.');
        text
    }
}

impl Input {
    /// A text of about this many bytes.
    fn text(self, size_bytes: usize) -> String {
        let mut dice = Dice(7);
        let mut out = String::with_capacity(size_bytes + 4096);
        while out.len() < size_bytes {
            match self {
                Input::Definitions => definition(&mut out, &mut dice),
                Input::Objects => object(&mut out, &mut dice),
                Input::Values => value(&mut out, &mut dice),
            }
        }
        out
    }
}

fn definition(out: &mut String, dice: &mut Dice) {
    let (kind, group) = (dice.word(), dice.word());
    let _ = write!(
        out,
        "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  \
         annotations:\n    generated: \"true\"\n  name: {kind}s.{group}.example.com\nspec:\n  \
         group: {group}.example.com\n  names:\n    kind: {kind}\n    plural: {kind}s\n  scope: \
         Namespaced\n  versions:\n  - name: v1\n    schema:\n      openAPIV3Schema:\n        \
         type: object\n"
    );
    properties(out, dice, 8, 4);
    out.push_str("    served: true\n    storage: true\n    subresources:\n      status: {}\n");
}

fn properties(out: &mut String, dice: &mut Dice, indent: usize, depth: usize) {
    let blanks = " ".repeat(indent);
    let _ = writeln!(out, "{blanks}properties:");
    for i in 0..3 + dice.roll(5) {
        let _ = writeln!(out, "{blanks}  {}{i}:", dice.word());
        if dice.roll(3) == 0 {
            let _ = writeln!(out, "{blanks}    description: |-");
            for _ in 0..=dice.roll(4) {
                let _ = writeln!(out, "{blanks}      {}", dice.sentence(11));
            }
        } else {
            let _ = writeln!(out, "{blanks}    description: {}", dice.sentence(6));
        }
        match dice.roll(5) {
            0 if depth > 0 => {
                properties(out, dice, indent + 4, depth - 1);
                let _ = writeln!(out, "{blanks}    required:\n{blanks}    - name");
                let _ = writeln!(out, "{blanks}    type: object");
            }
            1 if depth > 0 => {
                let _ = writeln!(out, "{blanks}    items:");
                properties(out, dice, indent + 6, depth - 1);
                let _ = writeln!(out, "{blanks}      type: object\n{blanks}    type: array");
            }
            2 => {
                let _ = writeln!(out, "{blanks}    default: {}", dice.roll(9000));
                let _ = writeln!(out, "{blanks}    format: int32\n{blanks}    type: integer");
            }
            3 => {
                let _ = writeln!(out, "{blanks}    enum:\n{blanks}    - {}", dice.word());
                let _ = writeln!(out, "{blanks}    - \"\"\n{blanks}    type: string");
            }
            _ => {
                let _ = writeln!(out, "{blanks}    maxLength: 253");
                let _ = writeln!(out, "{blanks}    pattern: ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$");
                let _ = writeln!(out, "{blanks}    type: string");
            }
        }
    }
}

fn object(out: &mut String, dice: &mut Dice) {
    let (name, namespace) = (dice.word(), dice.word());
    let number = dice.roll(1000);
    if dice.roll(4) == 0 {
        let _ = writeln!(out, "# {}", dice.sentence(8));
    }
    let _ = write!(
        out,
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}-{number}\n  \
         namespace: {namespace}\n  labels:\n    app.kubernetes.io/name: {name}\nspec:\n  \
         replicas: {}\n  selector:\n    matchLabels: {{app.kubernetes.io/name: {name}}}\n  \
         template:\n    metadata:\n      labels:\n        app.kubernetes.io/name: {name}\n    \
         spec:\n      containers:\n        - name: {name}\n          image: \
         registry.example.com/{name}:1.{number}.0 # kept by a robot\n          args: \
         [\"--listen=:80\", '--log=info']\n          resources:\n            limits:\n              \
         memory: {number}Mi\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: \
         {name}-{number}\n  namespace: {namespace}\ndata:\n  settings.ini: |\n    [{name}]\n    \
         size = {number}\n",
        1 + dice.roll(5),
    );
}

fn value(out: &mut String, dice: &mut Dice) {
    // Keys must differ.
    let number = out.len();
    let _ = writeln!(out, "# {}", dice.sentence(12));
    let _ = writeln!(
        out,
        "## @param {}{number} {}",
        dice.word(),
        dice.sentence(4)
    );
    let _ = writeln!(out, "{}{number}:\n  enabled: true", dice.word());
    let _ = writeln!(out, "  # {}", dice.sentence(9));
    let _ = writeln!(out, "  # - name: {}", dice.word());
    let _ = writeln!(out, "  list: []\n  size: {number} # bytes\n");
}

const SIZE_BYTES: usize = 1_500_000;

fn documents(input: Input) -> Vec<Document> {
    yaml::parse(&input.text(SIZE_BYTES), FileId::default()).unwrap()
}

#[divan::bench(args = INPUTS)]
fn parse(bencher: Bencher<'_, '_>, input: Input) {
    let text = input.text(SIZE_BYTES);
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| yaml::parse(black_box(&text), FileId::default()).unwrap());
}

/// As go-yaml v2 does: the first document, comments passed over.
#[divan::bench]
fn parse_one(bencher: Bencher<'_, '_>) {
    let text = Input::Values.text(SIZE_BYTES);
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| yaml::parse_one(black_box(&text), FileId::default()).unwrap());
}

#[divan::bench(args = INPUTS)]
fn decode(bencher: Bencher<'_, '_>, input: Input) {
    let documents = documents(input);
    bencher.bench(|| {
        documents
            .iter()
            .map(|d| yaml::decode(&d.root, Version::V2).unwrap())
            .collect::<Vec<_>>()
    });
}

#[divan::bench(args = INPUTS)]
fn emit_sorted(bencher: Bencher<'_, '_>, input: Input) {
    let documents = documents(input);
    bencher.bench(|| {
        let mut out = String::new();
        for document in &documents {
            emit::sorted(&document.root, &mut out).unwrap();
        }
        out
    });
}

#[divan::bench(args = INPUTS)]
fn emit_as_written(bencher: Bencher<'_, '_>, input: Input) {
    let documents = documents(input);
    bencher.bench(|| {
        let mut out = String::new();
        emit::documents_as_written(&documents, emit::Indent::Compact, &mut out);
        out
    });
}
