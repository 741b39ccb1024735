//! Copy operations and patterns, as source-watcher's documentation and code
//! have them.

use std::io::Write as _;

use super::*;
use crate::yaml::parse_one;

fn tree(files: &[(&str, &[u8])]) -> Arc<dyn Tree> {
    let mut tree = MemoryTree::new("");
    for (path, content) in files {
        tree.insert(*path, *content);
    }
    Arc::new(tree)
}

fn sample() -> Trees {
    let files: &[(&str, &[u8])] = &[
        ("config.yaml", b"a: 1\nb: {c: [1], d: 2}\n"),
        ("more.yaml", b"b: {c: [2, 3]}\n---\ne: 1.0\n"),
        ("deploy/web.yaml", b"web"),
        ("deploy/notes.md", b"notes"),
        ("deploy/sub/db.yaml", b"db"),
        ("deploy/sub/testdata/x.yaml", b"x"),
        ("deploy/photo.jpg", b"left out of every artifact"),
        ("apps/Auth/envs/prod/a.yaml", b"auth"),
        ("apps/shop/envs/prod/s.yaml", b"shop"),
        ("apps/shop/envs/test/s.yaml", b"shop test"),
    ];
    [(Arc::from("repo"), tree(files))].into()
}

fn generator(spec: &str) -> Generator {
    let text = format!(
        "apiVersion: source.extensions.fluxcd.io/v1beta1\nkind: ArtifactGenerator\nmetadata:\n  name: \
         x\n  namespace: apps\nspec:\n  sources:\n  - {{alias: repo, kind: GitRepository, name: \
         app}}\n{spec}"
    );
    let node = parse_one(&text, FileId::default()).unwrap().unwrap();
    Generator::read(&node).unwrap().unwrap()
}

/// The files of the artifact that these operations make.
fn made(copy: &str) -> Result<Vec<(String, String)>> {
    let generator = generator(&format!("  artifacts:\n  - name: out\n    copy:\n{copy}"));
    let mut all = compose(&generator, &sample())?;
    let out = all.remove("out").unwrap()?.tree;
    let mut files = Vec::new();
    for file in all_paths(&*out)? {
        if out.kind(&file)? == Some(Kind::File) {
            let content = String::from_utf8_lossy(&out.read(&file)?).into_owned();
            files.push((file, content));
        }
    }
    Ok(files)
}

#[track_caller]
fn paths(copy: &str, want: &[&str]) {
    let files = made(copy).unwrap();
    let found: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(found, want);
}

#[test]
fn files_and_folders_are_copied_as_cp_does() {
    paths(
        "    - {from: '@repo/config.yaml', to: '@artifact/a/b.yaml'}\n",
        &["a/b.yaml"],
    );
    paths(
        "    - {from: '@repo/config.yaml', to: '@artifact/a/'}\n",
        &["a/config.yaml"],
    );
    paths(
        "    - {from: '@repo/deploy/web.yaml', to: '@artifact/d/'}\n    - {from: \
         '@repo/config.yaml', to: '@artifact/d'}\n",
        &["d/config.yaml", "d/web.yaml"],
    );
    paths(
        "    - {from: '@repo/deploy/sub/', to: '@artifact/d/'}\n",
        &["d/sub/db.yaml", "d/sub/testdata/x.yaml"],
    );
    // What every artifact leaves out is not there.
    paths(
        "    - {from: '@repo/deploy/**', to: '@artifact/'}\n",
        &["notes.md", "sub/db.yaml", "sub/testdata/x.yaml", "web.yaml"],
    );
    // Without `**` at the end, the way to a file stays.
    paths(
        "    - {from: '@repo/deploy/*.yaml', to: '@artifact/d/'}\n",
        &["d/deploy/web.yaml"],
    );
    let whole = made("    - {from: '@repo/', to: '@artifact/'}\n").unwrap();
    assert_eq!(whole.len(), 9);
}

#[test]
fn patterns_leave_out() {
    paths(
        "    - from: '@repo/deploy/**'\n      to: '@artifact/'\n      exclude: ['*.md', \
         '**/testdata/**']\n",
        &["sub/db.yaml", "web.yaml"],
    );
    // Relative to the folder before the wildcard, too.
    paths(
        "    - from: '@repo/deploy/**'\n      to: '@artifact/'\n      exclude: ['sub/**', '*.md']\n",
        &["web.yaml"],
    );
}

#[test]
fn yaml_is_merged_as_values_are() {
    let merge = "    - {from: '@repo/config.yaml', to: '@artifact/values.yaml'}\n    - {from: \
                 '@repo/more.yaml', to: '@artifact/values.yaml', strategy: Merge}\n";
    let want = "a: 1\nb:\n  c:\n  - 2\n  - 3\n  d: 2\ne: 1\n";
    assert_eq!(
        made(merge).unwrap(),
        [("values.yaml".to_owned(), want.to_owned())]
    );
    // Without something to merge into, the file is copied as it is.
    let alone = "    - {from: '@repo/config.yaml', to: '@artifact/v.yaml', strategy: Merge}\n";
    assert_eq!(made(alone).unwrap()[0].1, "a: 1\nb: {c: [1], d: 2}\n");
}

#[test]
fn archives_are_unpacked() {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append_data(&mut header, "web/Chart.yaml", &b"x"[..])
        .unwrap();
    let tar = tar.into_inner().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar).unwrap();
    let archive = gzip.finish().unwrap();
    let files: &[(&str, &[u8])] = &[("a/b/web.tgz", &archive), ("a/readme", b"")];
    let trees: Trees = [(Arc::from("repo"), tree(files))].into();
    let run = |from: &str| {
        let spec = format!(
            "  artifacts:\n  - name: out\n    copy:\n    - {{from: '{from}', to: '@artifact/charts/', \
             strategy: Extract}}\n"
        );
        let composed = compose(&generator(&spec), &trees)
            .unwrap()
            .remove("out")
            .unwrap()?;
        all_paths(&*composed.tree)
    };
    let want = ["charts", "charts/web", "charts/web/Chart.yaml"];
    assert_eq!(run("@repo/a/b/web.tgz").unwrap(), want);
    assert_eq!(run("@repo/**").unwrap(), want);
    let error = run("@repo/a/readme").unwrap_err();
    assert!(error.message().contains("is no archive"), "{error:?}");
    let error = run("@repo/a").unwrap_err();
    assert!(error.message().contains("is a folder"), "{error:?}");
}

#[test]
fn folders_make_artifacts_of_their_own() {
    let spec = "  pathPattern: '@repo/apps/{app}/envs/{env}'\n  artifacts:\n  - name: '{app}-{env}'\n    \
                copy:\n    - {from: '@repo/apps/{app}/envs/{env}/**', to: '@artifact/{env}/'}\n";
    let pattern = generator(spec);
    let made = compose(&pattern, &sample()).unwrap();
    let names: Vec<&String> = made.keys().collect();
    assert_eq!(names, ["auth-prod", "shop-prod", "shop-test"]);
    // Names are in lower case, paths as they are.
    let auth = made["auth-prod"].as_ref().unwrap();
    assert_eq!(&*auth.tree.read("prod/a.yaml").unwrap(), b"auth");
    assert!(may_make(&pattern, "shop-prod"));
    assert!(!may_make(&pattern, "shop"));

    let collide: &[(&str, &[u8])] = &[("apps/Auth/x", b""), ("apps/auth/x", b"")];
    let trees: Trees = [(Arc::from("repo"), tree(collide))].into();
    let spec = "  pathPattern: '@repo/apps/{app}'\n  artifacts:\n  - name: '{app}'\n    copy:\n    - \
                {from: '@repo/apps/{app}/**', to: '@artifact/'}\n";
    let error = compose(&generator(spec), &trees).unwrap_err();
    assert!(
        error
            .message()
            .contains("`apps/Auth` and `apps/auth` both lead to `auth`"),
        "{error:?}"
    );
    assert_eq!(error.span().line, 9);
}

#[test]
fn what_is_wrong_has_a_place() {
    for (copy, message) in [
        ("from: 'repo/x', to: '@artifact/'", "is not `@ALIAS/PATH`"),
        (
            "from: '@repo/x', to: 'x'",
            "does not begin with `@artifact/`",
        ),
        (
            "from: '@other/x', to: '@artifact/'",
            "no source has the alias `other`",
        ),
        ("from: '@repo/none', to: '@artifact/'", "there is no `none`"),
        (
            "from: '@repo/none/*', to: '@artifact/'",
            "nothing in the source matches",
        ),
        (
            "from: '@repo/../x', to: '@artifact/'",
            "leads out of the source",
        ),
        (
            "from: '@repo/config.yaml', to: '@artifact/../x'",
            "leads out of the artifact",
        ),
        (
            "from: '@repo/deploy/*', to: '@artifact/', exclude: ['**']",
            "is excluded",
        ),
        (
            "from: '@repo/deploy/*', to: '@artifact/', exclude: ['[']",
            "cannot be read",
        ),
    ] {
        let error = made(&format!("    - {{{copy}}}\n")).unwrap_err();
        assert_eq!(
            (error.rule(), error.span().line),
            ("flux/artifact", 12),
            "{copy}"
        );
        assert!(error.to_string().contains(message), "{copy}: {error:?}");
    }
    let both = "    - {from: '@repo/config.yaml', to: '@artifact/a'}\n    - {from: \
                '@repo/config.yaml', to: '@artifact/a/b'}\n";
    let error = made(both).unwrap_err();
    assert!(error.to_string().contains("`a` is a file"), "{error:?}");
    for spec in ["{a", "a}", "{}", "{1}", "{a}/{a}"] {
        let spec = format!(
            "  pathPattern: '@repo/{spec}'\n  artifacts:\n  - {{name: x, copy: [{{from: '@repo/', to: \
             '@artifact/'}}]}}\n"
        );
        assert!(compose(&generator(&spec), &sample()).is_err(), "{spec}");
    }
}
