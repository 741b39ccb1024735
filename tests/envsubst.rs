//! `fluxwright envsubst`

use crate::program::{run, run_with};

#[test]
fn variables_are_replaced() {
    let done = run(
        &["envsubst", "--var", "a=1", "--var", "b=x=y"],
        "${a} ${b} ${c:-3}\r\n$${a}${d}",
    );
    assert_eq!((done.code, &*done.stdout), (Some(0), "1 x=y 3\n${a}\n"));
    assert_eq!(done.stderr, "");
}

#[test]
fn the_environment_counts_only_when_asked_for() {
    let environment = [("a", "env"), ("b", "env")];
    let expand = |args: &[&str]| {
        let args = [&["envsubst", "--var", "a=flag"], args].concat();
        run_with(&args, "${a} ${b}", &environment).stdout
    };
    assert_eq!(expand(&[]), "flag \n");
    assert_eq!(expand(&["--env"]), "flag env\n");
}

#[test]
fn errors_show_the_line() {
    let failed = run(&["envsubst", "--strict"], "a: 1\nb: é ${missing}\n");
    assert_eq!((failed.code, &*failed.stdout), (Some(2), ""));
    insta::assert_snapshot!(failed.stderr, @r#"
    error[subst/unresolved]: variable not set (strict mode): "missing"
     --> standard input:2:6
      |
    2 | b: é ${missing}
      |      ^^^^^^^^^^
      |
      = help: give `missing` a value, a default as in `${missing:-default}`, or write `$${missing}` to keep it as it is
    "#);
    let garbled = run(&["envsubst"], "${a.b}");
    insta::assert_snapshot!(garbled.stderr, @"
    error[subst/invalid]: missing closing brace
     --> standard input:1:1
      |
    1 | ${a.b}
      | ^^^^^^
      |
      = help: a name has letters, digits and `_` only, and `}` or an operator after it; write `$${` for a literal `${`
    ");
    let usage = run(&["envsubst", "--var", "novalue"], "");
    assert_eq!(usage.code, Some(2));
    insta::assert_snapshot!(usage.stderr, @"
    error: invalid value 'novalue' for '--var <NAME=VALUE>': no `=` after a name

    For more information, try '--help'.
    ");
}
