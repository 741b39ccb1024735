//! What templates read below one name, as far as that shows without running
//! them.
//!
//! In: parsed files. Out: a [`Reads`] for each, that of what it prints itself
//! and that of the templates it defines: the fields below `.NAME`, wherever a
//! chain of fields goes through that name. Whatever is handed on as a whole (to
//! a function, another template, `range`) counts as read with all below it, so
//! that too much is found rather than too little.

use std::collections::BTreeMap;

use super::tree::{Branch, Node, NodeId, Range, Source};

/// What is read of a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Whether all below it may be.
    pub whole: bool,
    /// What is read of its fields.
    pub fields: BTreeMap<String, Reads>,
}

impl Reads {
    /// Adds what is read elsewhere.
    pub fn merge(&mut self, other: &Reads) {
        self.whole |= other.whole;
        for (name, reads) in &other.fields {
            self.fields.entry(name.clone()).or_default().merge(reads);
        }
    }

    /// What is read behind a path; made where nothing is yet.
    pub fn at<'p>(&mut self, path: impl IntoIterator<Item = &'p str>) -> &mut Reads {
        path.into_iter().fold(self, |reads, name| {
            reads.fields.entry(name.to_owned()).or_default()
        })
    }

    /// Adds what a text reads, if it is a template: every `.NAME.a.b` in it, and
    /// everything where the name stands by itself.
    pub fn mention(&mut self, name: &str, text: &str) {
        let start = format!(".{name}");
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        for (at, _) in text.match_indices(&start) {
            let mut rest = text.get(at + start.len()..).unwrap_or_default();
            if rest.starts_with(is_word) {
                continue;
            }
            let mut path = Vec::new();
            while let Some(after) = rest.strip_prefix('.') {
                let end = after.find(|c| !is_word(c)).unwrap_or(after.len());
                let (field, left) = after.split_at(end);
                if field.is_empty() {
                    break;
                }
                path.push(field);
                rest = left;
            }
            self.at(path).whole = true;
        }
    }
}

/// What a file reads below `.name`: itself, and in the templates that it
/// defines.
pub fn reads(source: &Source, name: &str) -> (Reads, Reads) {
    let (mut itself, mut defined) = (Reads::default(), Reads::default());
    for tree in &source.trees {
        let found = match tree.name {
            None => &mut itself,
            Some(_) => &mut defined,
        };
        let mut reader = Reader {
            source,
            name,
            found,
            variables: Vec::new(),
            dot: Known::Other,
        };
        reader.block(tree.root);
    }
    for literal in (0..).take(source.literals.len()) {
        itself.mention(name, &source.literal(literal).to_str());
    }
    (itself, defined)
}

/// What is known of a value.
#[derive(Clone, Debug)]
enum Known {
    /// It stands at this path below the name.
    At(Vec<String>),
    /// Nothing.
    Other,
}

struct Reader<'s> {
    source: &'s Source,
    name: &'s str,
    found: &'s mut Reads,
    /// Variables by their names; the last of a name counts.
    variables: Vec<(&'s str, Known)>,
    dot: Known,
}

impl Reader<'_> {
    fn touch(&mut self, value: &Known) {
        if let Known::At(path) = value {
            self.found.at(path.iter().map(String::as_str));
        }
    }

    fn consume(&mut self, value: &Known) {
        if let Known::At(path) = value {
            self.found.at(path.iter().map(String::as_str)).whole = true;
        }
    }

    /// What a list of nodes reads; variables end with it.
    fn block(&mut self, id: NodeId) {
        let known = self.variables.len();
        self.node(id);
        self.variables.truncate(known);
    }

    fn node(&mut self, id: NodeId) {
        let source = self.source;
        match source.node(id) {
            Node::List(range) => source.children(range).iter().for_each(|n| self.node(*n)),
            Node::Action(pipe) => {
                let value = self.pipe(pipe, false);
                if !source.declares(pipe) {
                    self.consume(&value);
                }
            }
            Node::Template {
                pipe: Some(pipe), ..
            } => {
                let value = self.pipe(pipe, false);
                self.consume(&value);
            }
            Node::Branch {
                kind,
                pipe,
                list,
                otherwise,
            } => self.branch(kind, pipe, list, otherwise),
            _ => {}
        }
    }

    fn branch(&mut self, kind: Branch, pipe: NodeId, list: NodeId, otherwise: Option<NodeId>) {
        let known = self.variables.len();
        let value = self.pipe(pipe, kind == Branch::If);
        let inside = match kind {
            Branch::If => None,
            Branch::With => Some(value.clone()),
            Branch::Range => Some(Known::Other),
        };
        match kind {
            // Whoever goes through all of it reads all of it.
            Branch::Range => {
                self.consume(&value);
                let declared = self.source.loop_variables(pipe);
                for name in declared.names.iter().take(declared.count) {
                    self.variables
                        .push((self.source.variable(*name), Known::Other));
                }
            }
            Branch::If | Branch::With => self.touch(&value),
        }
        let outside = self.dot.clone();
        if let Some(inside) = inside {
            self.dot = inside;
        }
        self.block(list);
        self.dot = outside;
        if let Some(otherwise) = otherwise {
            self.block(otherwise);
        }
        self.variables.truncate(known);
    }

    /// The value of a pipeline, which is only looked at where it is a
    /// `condition`.
    fn pipe(&mut self, id: NodeId, condition: bool) -> Known {
        let source = self.source;
        let Node::Pipe {
            nodes,
            declared,
            assigns,
        } = source.node(id)
        else {
            return self.operand(id, condition);
        };
        let children = source.children(nodes);
        let (variables, commands) = children
            .split_at_checked(usize::from(declared))
            .unwrap_or((&[], children));
        let mut value = None;
        for command in commands {
            value = Some(self.command(*command, value, condition));
        }
        let value = value.unwrap_or(Known::Other);
        for node in variables {
            let Node::Variable { variable, .. } = source.node(*node) else {
                continue;
            };
            let name = source.variable(variable);
            if assigns {
                // It may be one or the other from here on.
                let before = self.variable(name);
                self.consume(&before);
                self.consume(&value);
                if let Some(known) = self.variables.iter_mut().rev().find(|(n, _)| *n == name) {
                    known.1 = Known::Other;
                }
            } else {
                self.variables.push((name, value.clone()));
            }
        }
        value
    }

    fn variable(&self, name: &str) -> Known {
        let mut known = self.variables.iter().rev();
        let found = known.find(|(known, _)| *known == name);
        found.map_or(Known::Other, |(_, value)| value.clone())
    }

    fn command(&mut self, id: NodeId, piped: Option<Known>, condition: bool) -> Known {
        let source = self.source;
        let Node::Command(range) = source.node(id) else {
            return self.operand(id, condition);
        };
        let Some((first, arguments)) = source.children(range).split_first() else {
            return Known::Other;
        };
        let Node::Function(function) = source.node(*first) else {
            let value = self.operand(*first, condition);
            for argument in arguments {
                let value = self.operand(*argument, false);
                self.consume(&value);
            }
            return value;
        };
        let looks = match function.name {
            "not" | "empty" | "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "kindIs" | "typeIs"
            | "kindOf" | "typeOf" => true,
            "and" | "or" => condition,
            _ => false,
        };
        let mut values: Vec<(Known, Option<String>)> = Vec::new();
        for argument in arguments {
            let literal = match source.node(*argument) {
                Node::String(text) => Some(source.literal(text).to_string()),
                _ => None,
            };
            values.push((self.operand(*argument, looks), literal));
        }
        values.extend(piped.map(|value| (value, None)));
        match function.name {
            "index" | "get" | "hasKey" => self.step(values.first().cloned(), values.get(1..)),
            "dig" => {
                // The keys, a default, and what is looked into.
                let keys = values.len().saturating_sub(2);
                self.step(values.last().cloned(), values.get(..keys))
            }
            _ => {
                for (value, _) in &values {
                    if looks {
                        self.touch(value);
                    } else {
                        self.consume(value);
                    }
                }
                Known::Other
            }
        }
    }

    /// What is behind keys in a value: all of it where they are not written out.
    fn step(
        &mut self,
        base: Option<(Known, Option<String>)>,
        keys: Option<&[(Known, Option<String>)]>,
    ) -> Known {
        let keys = keys.unwrap_or_default();
        for (key, _) in keys {
            self.consume(key);
        }
        let Some((Known::At(mut path), _)) = base else {
            return Known::Other;
        };
        for (_, key) in keys {
            let Some(key) = key else {
                let value = Known::At(path);
                self.consume(&value);
                return Known::Other;
            };
            path.push(key.clone());
        }
        let value = Known::At(path);
        self.touch(&value);
        value
    }

    fn operand(&mut self, id: NodeId, condition: bool) -> Known {
        match self.source.node(id) {
            Node::Field(fields) => {
                let dot = self.dot.clone();
                self.below(dot, fields)
            }
            Node::Variable { variable, fields } => {
                let value = self.variable(self.source.variable(variable));
                self.below(value, fields)
            }
            Node::Chain { node, fields } => {
                let value = self.operand(node, false);
                self.below(value, fields)
            }
            Node::Dot => self.dot.clone(),
            Node::Pipe { .. } => self.pipe(id, condition),
            Node::Command(_) => self.command(id, None, condition),
            // A function without arguments reads nothing.
            _ => Known::Other,
        }
    }

    /// The value of fields of another one.
    fn below(&mut self, value: Known, fields: Range) -> Known {
        let source = self.source;
        let names = source.names(fields).iter().map(|name| source.slice(*name));
        let mut path = match value {
            Known::At(path) => path,
            Known::Other => {
                // `.Values.a`, and `.context.Values.a` too.
                let mut names = names.clone();
                if !names.any(|name| name == self.name) {
                    return Known::Other;
                }
                let value = Known::At(names.map(str::to_owned).collect());
                self.touch(&value);
                return value;
            }
        };
        path.extend(names.map(str::to_owned));
        let value = Known::At(path);
        self.touch(&value);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gotmpl::{functions, parse};

    /// What a template reads: paths, with `*` where it is all below.
    fn read(text: &str) -> Vec<String> {
        fn list(reads: &Reads, path: &str, out: &mut Vec<String>) {
            if reads.whole {
                out.push(format!("{path}*"));
            } else if reads.fields.is_empty() {
                out.push(path.to_owned());
            }
            for (name, below) in &reads.fields {
                list(below, &format!("{path}{name}."), out);
            }
        }
        let source = parse(text, functions::all()).unwrap();
        let (mut itself, defined) = reads(&source, "Values");
        itself.merge(&defined);
        let mut out = Vec::new();
        list(&itself, "", &mut out);
        out
    }

    #[test]
    fn fields_are_followed() {
        assert_eq!(read("{{ .Values.a.b }}{{ $.Values.c }}"), ["a.b.*", "c.*"]);
        assert_eq!(read("{{ .Chart.a }}{{ .Release.Values2.b }}"), [""]);
        assert_eq!(read("{{ if .Values.a }}x{{ end }}"), ["a."]);
        assert_eq!(
            read("{{ if and .Values.a.b (not .Values.c) }}x{{ else }}{{ .Values.d }}{{ end }}"),
            ["a.b.", "c.", "d.*"]
        );
        assert_eq!(
            read("{{ with .Values.a }}{{ .b }}{{ $.Values.c }}{{ end }}"),
            ["a.b.*", "c.*"]
        );
        assert_eq!(read("{{ with .Values.a }}{{ toYaml . }}{{ end }}"), ["a.*"]);
        assert_eq!(
            read("{{ $v := .Values.a }}{{ $v.b }}{{ if $v.c }}{{ end }}"),
            ["a.b.*", "a.c."]
        );
        assert_eq!(
            read("{{ range $k, $v := .Values.a }}{{ $v.b }}{{ end }}"),
            ["a.*"]
        );
    }

    #[test]
    fn what_is_handed_on_is_read_with_all_below_it() {
        assert_eq!(read("{{ toYaml .Values.a | nindent 2 }}"), ["a.*"]);
        assert_eq!(read("{{ include \"x\" .Values }}"), ["*"]);
        assert_eq!(
            read("{{ include \"x\" (dict \"v\" .Values.a \"context\" $) }}"),
            ["a.*"]
        );
        assert_eq!(
            read("{{ template \"x\" . }}{{ define \"x\" }}{{ .Values.a }}{{ end }}"),
            ["a.*"]
        );
        assert_eq!(
            read("{{ $v := .Values.a }}{{ $v = .Values.b }}"),
            ["a.*", "b.*"]
        );
        assert_eq!(
            read("{{ default .Values.a .Values.b.c }}"),
            ["a.*", "b.c.*"]
        );
        // A function may stand for a value.
        assert_eq!(
            read("{{ eq now .Values.a | ternary list (list .Values.b) }}{{ now }}{{ (now).Year }}"),
            ["a.", "b.*"]
        );
    }

    #[test]
    fn keys_are_steps_where_they_are_written_out() {
        assert_eq!(
            read("{{ index .Values \"a-b\" \"c\" }}{{ (index .Values \"d\").e }}"),
            ["a-b.c.*", "d.e.*"]
        );
        assert_eq!(read("{{ index .Values.a .Release.Name }}"), ["a.*"]);
        assert_eq!(read("{{ if hasKey .Values \"a\" }}{{ end }}"), ["a."]);
        assert_eq!(read("{{ .Values | dig \"a\" \"b\" 1 }}"), ["a.b.*"]);
    }

    #[test]
    fn templates_in_texts_are_mentioned() {
        assert_eq!(read("{{ tpl \"{{ .Values.a.b }}\" . }}"), ["a.b.*"]);
        let mut reads = Reads::default();
        reads.mention(
            "Values",
            "{{ .Values.a.b }} .ValuesOf.x {{ $.Values.c | quote }}",
        );
        assert_eq!(reads.fields.keys().collect::<Vec<_>>(), ["a", "c"]);
        reads.mention("Values", "{{ index .Values \"x\" }}");
        assert!(reads.whole);
    }
}
