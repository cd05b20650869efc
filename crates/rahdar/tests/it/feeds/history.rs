//! `rahdar intel import --history`: what git keeps of a list.

use std::path::Path;
use std::process::Command;

use crate::harness::Home;

/// Runs git as nobody in particular, at that time.
fn git(folder: &Path, day: &str, args: &[&str]) {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "user.name=x", "-c", "user.email=x@example.org"]).args(args);
    let at = format!("{day}T12:00:00Z");
    command.env("GIT_COMMITTER_DATE", &at).env("GIT_AUTHOR_DATE", &at).env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn each_version_of_a_list_counts_for_the_time_it_stood() {
    if Command::new("git").arg("--version").output().is_err() {
        rahdar_testkit::skipped("git not found");
        return;
    }
    let home = Home::new();
    let repository = home.path().join("feed");
    std::fs::create_dir(&repository).unwrap();
    git(&repository, "2021-01-01", &["init", "-q", "-b", "main"]);
    let commit = |day: &str, name: &str, content: Option<&str>| {
        match content {
            Some(content) => drop(home.file(&format!("feed/{name}"), content)),
            None => std::fs::remove_file(repository.join(name)).unwrap(),
        }
        git(&repository, day, &["add", "-A"]);
        git(&repository, day, &["commit", "-q", "-m", "x"]);
    };
    commit("2021-01-01", "PlugX c2.txt", Some("192.0.2.1\n192.0.2.2\n"));
    commit("2021-02-01", "PlugX c2.txt", Some("192.0.2.2\n"));
    commit("2021-03-01", "PlugX c2.txt", Some("192.0.2.1\n192.0.2.2\n"));
    commit("2021-04-01", "old.txt", Some("192.0.2.3\n"));
    commit("2021-05-01", "old.txt", None);
    commit("2021-06-01", "README.md", Some("A feed.\n"));
    let ran = home.done(&["intel", "import", "--history", repository.to_str().unwrap()]);
    let windows = |address: &str| {
        let answer = home.json(&["intel", "lookup", address]);
        let claims = answer["claims"].as_array().unwrap().clone();
        let day = |value: &serde_json::Value| value.as_str().unwrap()[..10].to_owned();
        claims.iter().map(|c| (day(&c["valid_from"]), day(&c["valid_until"]))).collect::<Vec<_>>()
    };
    let window = |from: &str, until: &str| (from.to_owned(), until.to_owned());
    assert_eq!(
        windows("192.0.2.1"),
        [window("2021-01-01", "2021-02-01"), window("2021-03-01", "2021-06-02")],
        "{}",
        ran.stderr
    );
    assert_eq!(windows("192.0.2.2"), [window("2021-01-01", "2021-06-02")]);
    assert_eq!(windows("192.0.2.3"), [window("2021-04-01", "2021-05-02")], "removed: listed no more");
    let again = home.json(&["intel", "import", "--history", repository.to_str().unwrap()]);
    assert_eq!(again[0]["added"], 0);
    let other = home.file("apart/list.txt", "192.0.2.9\n");
    let ran = home.run(&["intel", "import", "--history", &other]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("no history that git can read"), "{}", ran.stderr);
}
