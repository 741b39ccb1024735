//! The formats, over the same findings.

use super::*;
use crate::diag::{Finding, Location, ObjectRef};

fn findings() -> Vec<Finding> {
    let mut with_place = Finding::new("ref/missing", Severity::Error, "there is no `a|b` <c>")
        .help("add it,\nor not")
        .path("/spec/x")
        .object(ObjectRef {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            namespace: "apps".into(),
            name: "web".into(),
        });
    with_place.location = Some(Location {
        file: "apps/a b.yaml".into(),
        line: 3,
        column: 7,
    });
    let bare = Finding::new(
        "file/unreadable",
        Severity::Warning,
        "100% \"odd\" \u{1} & so",
    );
    let note = Finding::new("source/unavailable", Severity::Info, "not at hand");
    vec![with_place, bare, note]
}

#[test]
fn github_escapes_what_ends_a_command() {
    let findings = || {
        let mut findings = findings();
        findings[1].message = "100% \"odd\" & so".into();
        findings
    };
    insta::assert_snapshot!(github(&findings()), @r#"
    ::error file=apps/a b.yaml,line=3,col=7,title=ref/missing::ConfigMap/apps/web: there is no `a|b` <c>%0Ahelp: add it,%0Aor not
    ::warning title=file/unreadable::100%25 "odd" & so
    ::notice title=source/unavailable::not at hand
    "#);
}

#[test]
fn markdown_keeps_its_table_whole() {
    let findings = || {
        let mut findings = findings();
        findings[1].message = "100% \"odd\" & so".into();
        findings
    };
    insta::assert_snapshot!(markdown(&findings()).unwrap(), @r#"
    ## fluxwright

    ### 1 error

    | rule | object | place | what |
    | --- | --- | --- | --- |
    | `ref/missing` | ConfigMap/apps/web | apps/a b.yaml:3 | there is no <code>a&#124;b</code> &lt;c&gt;<br>add it, or not |

    ### 1 warning

    | rule | object | place | what |
    | --- | --- | --- | --- |
    | `file/unreadable` |  |  | 100% "odd" &amp; so |

    <details><summary>1 note</summary>

    | rule | object | place | what |
    | --- | --- | --- | --- |
    | `source/unavailable` |  |  | not at hand |

    </details>
    "#);
}

#[test]
fn junit_is_well_formed() {
    let xml = junit(&findings());
    assert!(xml.contains("tests=\"2\" failures=\"2\""), "{xml}");
    assert!(xml.contains(
        "<testcase classname=\"ref/missing\" name=\"ConfigMap/apps/web at apps/a b.yaml:3\">"
    ));
    assert!(xml.contains("message=\"there is no `a|b` &lt;c&gt;\">add it,&#10;or not</failure>"));
    // XML has no form for control characters.
    assert!(xml.contains("100% &quot;odd&quot; \u{fffd} &amp; so"));
    insta::assert_snapshot!(junit(&[]), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="fluxwright" tests="1" failures="0">
      <testsuite name="fluxwright check" tests="1" failures="0">
        <testcase classname="fluxwright" name="nothing is wrong"/>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn gitlab_has_a_path_for_everything() {
    let report: serde_json::Value = serde_json::from_str(&gitlab(&findings())).unwrap();
    let issues = report.as_array().unwrap();
    assert_eq!(issues.len(), 3);
    assert_eq!(issues[0]["location"]["path"], "apps/a b.yaml");
    assert_eq!(issues[0]["location"]["lines"]["begin"], 3);
    assert_eq!(issues[1]["location"]["path"], ".");
    assert_eq!(issues[1]["severity"], "minor");
    assert_ne!(issues[1]["fingerprint"], issues[2]["fingerprint"]);
}

/// A rule that one of the findings is of.
const RULE: RuleText = RuleText {
    id: "ref/missing",
    title: "missing",
    why: "Why.",
    mend: "Mend.",
    severity: Severity::Error,
};

#[test]
fn sarif_names_rules_places_and_fingerprints() {
    let log: serde_json::Value = serde_json::from_str(&sarif(&findings(), &[RULE])).unwrap();
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 3);
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(result["partialFingerprints"]["fluxwright/v1"].is_string());
    }
    let first = &run["results"][0];
    let physical = &first["locations"][0]["physicalLocation"];
    assert_eq!(physical["artifactLocation"]["uri"], "apps/a%20b.yaml");
    assert_eq!(physical["region"]["startLine"], 3);
    assert_eq!(first["level"], "error");
    assert_eq!(rules[1]["shortDescription"]["text"], "missing");
    let third = &run["results"][2]["locations"][0]["physicalLocation"];
    assert_eq!(third["artifactLocation"]["uri"], ".");
    assert!(third.get("region").is_none());
}

#[test]
fn templates_of_users_have_findings_numbers_and_rules() {
    let fill = |source: &str| by_template(&findings(), &[RULE], "own.md", source);
    let text = fill(
        "{{ summary.errors }} {{ summary.warnings }} {{ summary.notes }}\n{% for finding in findings \
         if finding.location %}{{ finding.location.file | code }} {{ finding.message | plain }} {{ \
         rules[finding.rule].title }}{% endfor %}",
    );
    let expected = "1 1 1\n`apps/a b.yaml` there is no <code>a&#124;b</code> &lt;c&gt; missing";
    assert_eq!(text.unwrap(), expected);
    for (wrong, place) in [
        ("\n{{ findings[0].nothing }}", "line 2"),
        ("{% for x in %}", "line 1"),
        ("{% include 'Cargo.toml' %}", "line 1"),
        (
            "{% for a in range(9999) %}\n{% for b in range(9999) %}{% endfor %}{% endfor %}",
            "line 2",
        ),
    ] {
        let error = fill(wrong).unwrap_err();
        assert_eq!(error.rule(), "report/template", "{wrong}");
        assert!(error.message().contains(place), "{}", error.message());
    }
}
