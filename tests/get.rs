//! `fluxwright get …`

use crate::program::run;

#[test]
fn the_version_that_a_range_chooses() {
    let tags = "v1.0.0\nv1.2.0\r\nv1.10.0\nv2.0.0-rc.1\nlatest\n1.5\n";
    let choose = |range| run(&["get", "version", "--range", range], tags);
    let chosen = choose(">=1.0.0");
    assert_eq!((chosen.code, &*chosen.stdout), (Some(0), "v1.10.0\n"));
    assert_eq!(choose("-0").code, Some(2));
    assert_eq!(choose("^2.0.0-0").stdout, "v2.0.0-rc.1\n");

    let none = choose("^2.0.0");
    assert_eq!((none.code, &*none.stdout), (Some(1), ""));
    insta::assert_snapshot!(none.stderr, @"
    error[source/version]: no version is in the range `^2.0.0`
     |
     = help: none of the 6 on standard input will do: a version has three numbers, and prereleases need a range with one, such as `>=1.0.0-0`
    ");
    insta::assert_snapshot!(choose("newest").stderr, @r#"
    error[source/version]: improper constraint: "newest"
     |
     = help: write a range such as `>=1.2.0 <2.0.0`, `^1.2.0` or `1.2.x`
    "#);
}

#[test]
fn charts_are_chosen_by_name_first() {
    let choose = |range| {
        let args = ["get", "version", "--chart", "--range", range];
        run(&args, "1.5\n1.4.0\n").stdout
    };
    assert_eq!(choose("1.5"), "1.5\n");
    assert_eq!(choose(""), "1.4.0\n");
}

#[test]
fn the_files_that_remain() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    for file in [
        "a.yaml",
        "logo.png",
        ".git/HEAD",
        "b/c.yaml",
        "b/.sourceignore",
    ] {
        let file = tree.join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "").unwrap();
    }
    let tree_path = tree.to_str().unwrap();
    let plain = run(&["get", "ignored", tree_path], "");
    assert_eq!(plain.stdout, "a.yaml\nb/.sourceignore\nb/c.yaml\n");
    assert_eq!((plain.code, &*plain.stderr), (Some(0), ""));

    std::fs::write(tree.join("b/.sourceignore"), "*.yaml\n").unwrap();
    let rules = folder.path().join("rules");
    std::fs::write(&rules, "/a*\n!/b/c.yaml\n").unwrap();
    let rules = rules.to_str().unwrap();
    let ruled = run(&["get", "ignored", "--rules", rules, tree_path], "");
    assert_eq!(ruled.stdout, "b/.sourceignore\nb/c.yaml\nlogo.png\n");

    let missing = run(&["get", "ignored", "/no/such/folder"], "");
    assert_eq!((missing.code, &*missing.stdout), (Some(2), ""));
    insta::assert_snapshot!(missing.stderr, @"error[ref/missing]: no such file or folder: `/no/such/folder`");
}

/// What is in the sample fleet.
fn fleet(args: &[&str]) -> crate::program::Run {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/fleet");
    run(&[&["get"], args, &[folder]].concat(), "")
}

#[test]
fn objects_by_the_words_that_people_use() {
    let all = fleet(&["all", "--entry", "staging"]);
    assert_eq!((all.code, &*all.stderr), (Some(0), ""));
    insta::with_settings!({
        snapshot_path => "../snapshots/get",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!("all", all.stdout);
    });

    let names = |words| fleet(&[words, "--output", "name"]).stdout;
    let both = names("ks,hr");
    assert!(both.contains("Kustomization/") && both.contains("HelmRelease/"));
    assert_eq!(both, names("Kustomizations,helmrelease"));
    assert!(names("sources").contains("GitRepository/"));
    assert!(names("networkpolicies").contains("NetworkPolicy/"));
}

#[test]
fn objects_as_they_are_applied() {
    let yaml = fleet(&["namespaces", "--output", "yaml", "--entry", "staging"]).stdout;
    let name = fleet(&["ns", "--output", "name", "--entry", "staging"]).stdout;
    assert!(!name.is_empty());
    assert_eq!(
        yaml.matches("\nkind: Namespace\n").count(),
        name.lines().count()
    );
    let json = fleet(&["ns", "--output", "json", "--entry", "staging"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    for value in json.as_array().unwrap() {
        assert_eq!(value["object"]["kind"], "Namespace");
        assert!(value["location"]["line"].as_u64().unwrap() > 0);
    }
}

#[test]
fn kinds_that_do_not_exist() {
    let wrong = fleet(&["deploymint"]);
    assert_eq!((wrong.code, &*wrong.stdout), (Some(2), ""));
    insta::assert_snapshot!(wrong.stderr, @"
    error[ref/missing]: no object has the kind `deploymint`
     |
     = help: did you mean `Deployment`?
    ");
    // Flux knows the kind, the fleet has none.
    let none = fleet(&["buckets", "--output", "name"]);
    assert_eq!((none.code, &*none.stdout, &*none.stderr), (Some(0), "", ""));
}
