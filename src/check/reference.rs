//! Rules as texts: one for a terminal, all of them as `docs/rules.md`.

use super::Rule;
use super::candidates::{CANDIDATES, Outcome};

/// What there is to know of a rule, for a terminal.
pub fn explain(rule: &Rule) -> String {
    let mut out = format!("{} ({}): {}\n\n", rule.id, rule.severity.name(), rule.title);
    out.push_str(&format!("{}\n\n{}\n", wrap(rule.why), wrap(rule.mend)));
    for (title, example) in [("Wrong", rule.bad), ("Right", rule.good)] {
        if !example.is_empty() {
            out.push_str(&format!("\n{title}:\n\n"));
            for line in example.lines() {
                out.push_str(&format!("    {line}\n"));
            }
        }
    }
    out
}

/// The page of these rules.
pub fn page(rules: &[&Rule]) -> String {
    let mut out = String::from(
        "# Rules\n\n<!-- Made by `fluxwright rule --output markdown`; a test compares. -->\n\nWhat \
         `fluxwright check` looks for. Severities are defaults: `.fluxwright.yaml` sets others \
         under\n`rules`, for a rule or a whole family, and `overrides` does so for some files. A \
         finding that\nis known and accepted goes under `ignore`, or is told beside its line:\n\n\
         ```yaml\nrules:\n  pin: error\n  image/mutable: info\noverrides:\n- path: apps/dev\n  \
         rules:\n    image: off\nignore:\n- rule: secret/plaintext\n  path: clusters/test/**\n  \
         object: Secret/test/*\n  reason: throw-away keys\n  until: 2027-01-31\n```\n\n```yaml\n\
         branch: main # fluxwright:ignore pin/floating until 2027-01-31: we follow it on \
         purpose\n```\n\nExamples are small repositories: a line `-- path --` begins a file, and \
         what `flux bootstrap`\nwrites for `clusters/prod` is left out.\n",
    );
    out.push_str("\n| rule | default | what is wrong |\n| --- | --- | --- |\n");
    for rule in rules {
        out.push_str(&format!(
            "| [`{}`](#{}) | {} | {} |\n",
            rule.id,
            rule.id.replace('/', ""),
            rule.severity.name(),
            rule.title
        ));
    }
    for rule in rules {
        out.push_str(&format!(
            "\n## {}\n\n{}.\n",
            rule.id,
            first_upper(rule.title)
        ));
        out.push_str(&format!("\n{}\n\n{}\n", wrap(rule.why), wrap(rule.mend)));
        for (title, example) in [("Wrong", rule.bad), ("Right", rule.good)] {
            if !example.is_empty() {
                out.push_str(&format!("\n{title}:\n\n```yaml\n{example}```\n"));
            }
        }
    }
    out.push_str(
        "\n## Candidates\n\nWhat was thought of, and what became of it.\n\n| candidate | outcome \
         |\n| --- | --- |\n",
    );
    for (what, outcome) in CANDIDATES {
        let outcome = match outcome {
            Outcome::Rule(id) => format!("`{id}`"),
            Outcome::LeftOut(why) => format!("left out: {why}"),
        };
        out.push_str(&format!("| {what} | {outcome} |\n"));
    }
    out
}

fn first_upper(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}

/// Text in lines of at most 80 characters.
fn wrap(text: &str) -> String {
    let mut out = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > 80 {
            out.push('\n');
            width = 0;
        } else if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += length;
    }
    out
}
