//! Answers of Go's `fmt`, see `testdata/gostd/SOURCE`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value as Json;

use super::*;

/// A value as the table writes it: what it is, its type, its content, what its
/// method gives.
#[derive(Debug, Deserialize)]
struct Node {
    k: String,
    t: String,
    #[serde(default)]
    v: Json,
    s: Option<String>,
}

#[derive(Debug)]
enum Content {
    Nil,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Float32(f32),
    Str(String),
    Bytes(Vec<u8>),
    List(Vec<Made>),
    Map(Vec<(Made, Made)>),
    Struct(Vec<(String, Made)>),
    Pointer(Box<Made>),
    Opaque,
}

#[derive(Debug)]
struct Made {
    content: Content,
    type_name: String,
    text: Option<String>,
}

impl From<Node> for Made {
    fn from(node: Node) -> Made {
        let text = || node.v.as_str().unwrap_or_default();
        let bits = || f64::from_bits(u64::from_str_radix(text(), 16).unwrap());
        fn nested<T: for<'d> Deserialize<'d>>(json: &Json) -> T {
            T::deserialize(json).unwrap()
        }
        let content = match node.k.as_str() {
            "nil" => Content::Nil,
            "bool" => Content::Bool(node.v.as_bool().unwrap_or_default()),
            "int" => Content::Int(text().parse().unwrap()),
            "uint" => Content::Uint(text().parse().unwrap()),
            "float" => Content::Float(bits()),
            #[expect(clippy::cast_possible_truncation, reason = "it is one")]
            "float32" => Content::Float32(bits() as f32),
            "string" => Content::Str(text().to_owned()),
            "bytes" => Content::Bytes(hex::decode(text()).unwrap()),
            "list" => {
                let items: Vec<Node> = nested(&node.v);
                Content::List(items.into_iter().map(Made::from).collect())
            }
            "map" => {
                let entries: Vec<(Node, Node)> = nested(&node.v);
                let made = entries.into_iter().map(|(k, v)| (k.into(), v.into()));
                Content::Map(made.collect())
            }
            "struct" => {
                let fields: Vec<(String, Node)> = nested(&node.v);
                let made = fields.into_iter().map(|(name, v)| (name, v.into()));
                Content::Struct(made.collect())
            }
            "pointer" => Content::Pointer(Box::new(nested::<Node>(&node.v).into())),
            _ => Content::Opaque,
        };
        Made {
            content,
            type_name: node.t,
            text: node.s,
        }
    }
}

impl Value for Made {
    fn view(&self) -> View<'_> {
        match &self.content {
            Content::Nil => View::Nil,
            Content::Bool(b) => View::Bool(*b),
            Content::Int(n) => View::Int(*n),
            Content::Uint(n) => View::Uint(*n),
            Content::Float(f) => View::Float(*f),
            Content::Float32(f) => View::Float32(*f),
            Content::Str(s) => View::Str(s),
            Content::Bytes(b) => View::Bytes(b),
            Content::List(l) => View::List(l.iter().map(|v| Item::Ref(v)).collect()),
            Content::Map(m) => View::Map(
                (m.iter())
                    .map(|(k, v)| (Item::Ref(k), Item::Ref(v)))
                    .collect(),
            ),
            Content::Struct(f) => View::Struct(
                (f.iter())
                    .map(|(n, v)| (n.as_str(), Item::Ref(v)))
                    .collect(),
            ),
            Content::Pointer(v) => View::Pointer(Item::Ref(&**v)),
            Content::Opaque => View::Opaque,
        }
    }

    fn type_name(&self) -> Cow<'_, str> {
        self.type_name.as_str().into()
    }

    fn text(&self) -> Option<Cow<'_, str>> {
        self.text.as_deref().map(Cow::from)
    }
}

#[test]
fn as_go_prints() {
    let cases: Vec<(String, Vec<Node>, String, String, String)> =
        serde_json::from_str(include_str!("../../../testdata/gostd/fmt.json")).unwrap();
    assert!(cases.len() > 300);
    let mut wrong = Vec::new();
    for (format, args, printed, plain, line) in cases {
        let args: Vec<Made> = args.into_iter().map(Made::from).collect();
        let args: Vec<&dyn Value> = args.iter().map(|v| v as &dyn Value).collect();
        for (got, want) in [
            (sprintf(&format, &args), printed),
            (sprint(&args), plain),
            (sprintln(&args), line),
        ] {
            if got != want {
                wrong.push(format!("{format:?}\n   {got:?}\n   {want:?}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong[..wrong.len().min(30)].join("\n")
    );
}

#[test]
fn basic_rust_types() {
    let args: [&dyn Value; 4] = [&"a", &7_i64, &true, &1.5];
    assert_eq!(sprintf("%s-%03d %t %v", &args), "a-007 true 1.5");
    assert_eq!(sprintf("%d%%", &[&"x"]), "%!d(string=x)%");
    assert_eq!(sprint(&args), "a7 true 1.5");
}

#[test]
fn what_is_nested_too_deeply_is_told() {
    let leaf = || Made {
        content: Content::List(Vec::new()),
        type_name: "[]interface {}".to_owned(),
        text: None,
    };
    let deep = (0..600).fold(leaf(), |inner, _| Made {
        content: Content::List(vec![inner]),
        ..leaf()
    });
    let printed = sprintf("%v", &[&deep]);
    assert!(printed.contains("[%!v(TOODEEP)]"), "{printed}");
}
