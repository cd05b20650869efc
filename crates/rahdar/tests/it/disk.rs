//! What the disk is asked for, and what happens when it refuses: the binary under strace, and on a
//! disk that is really full (`docs/reliability.md` R6, R7, R8).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use rahdar_model::reserve::reserve_octets;
use rahdar_testkit::is_nightly;

use crate::harness::Home;

/// Flows of one small log: two days.
const ROWS: usize = 40;

/// Seconds from the first to the last flow of a log.
const SPAN: usize = 150_000;

/// A log of so many flows. Another port is another content.
fn log(rows: usize, port: u16) -> String {
    let mut log = String::from(
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n\
         #fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\n\
         #types\ttime\tstring\taddr\tport\taddr\tport\tenum\tcount\tcount\tcount\tcount\n",
    );
    for row in 0..rows {
        log.push_str(&format!(
            "{}.5\tC{row}\t203.0.113.{}\t{port}\t192.0.2.{}\t443\ttcp\t10\t1000\t8\t800\n",
            1_621_468_800 + row * SPAN / rows,
            row % 200,
            row * 7 % 250
        ));
    }
    log
}

/// Whether strace can be run. Its absence is said aloud.
pub(crate) fn has_strace() -> bool {
    let found = Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success());
    if !found {
        rahdar_testkit::skipped("strace not found; packaging/test-tools.sh installs it");
    }
    found
}

/// How an import under strace went.
struct Traced {
    code: Option<i32>,
    stderr: String,
    trace: String,
}

/// Imports a log of a new home under strace with these arguments.
fn traced(home: &Home, args: &[&str]) -> Traced {
    let log = home.file("conn.log", log(ROWS, 40_000));
    let import = home.command(&["flows", "import", &log]);
    let trace = home.path().join("trace");
    let mut strace = Command::new("strace");
    // Not with --seccomp-bpf: strace 6.1 then injects at the first call or at none.
    strace.args(["-f", "-qq", "-y", "-s", "0", "-o"]).arg(&trace).args(args);
    strace.arg("--").arg(import.get_program()).args(import.get_args()).env_remove("RAHDAR_HOME");
    let output = strace.output().unwrap();
    Traced {
        code: output.status.code(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        trace: std::fs::read_to_string(trace).unwrap_or_default(),
    }
}

/// Imports the log again: it must be stored whole, once, and leave nothing beside it.
#[track_caller]
fn check_repeats(home: &Home, context: &str) {
    let log = home.path().join("conn.log");
    let again = &home.json(&["flows", "import", log.to_str().unwrap()])[0];
    let (rows, stored) = (again["rows"].as_u64().unwrap(), again["already_stored"].as_u64().unwrap());
    let expected = if stored == 1 { 0 } else { ROWS as u64 };
    assert_eq!(rows, expected, "{context}: {again}");
    assert_eq!(home.rows(), ROWS as i64, "{context}");
    let staged = names_below(&home.path().join("home")).into_iter().find(|name| name.contains('#'));
    assert_eq!(staged, None, "{context}: left behind");
}

fn names_below(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names.extend(names_below(&path));
        }
        names.push(path.display().to_string());
    }
    names
}

/// What the names and contents below a home are known to be, by the calls that were seen.
#[derive(Default)]
struct Known {
    /// Files with content that is not on disk.
    dirty: BTreeSet<PathBuf>,
    /// By folder: names in it that are not on disk.
    unsynced: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
    files_synced: usize,
    named: usize,
}

impl Known {
    /// Takes a call that succeeded.
    fn take(&mut self, call: &str, paths: &[PathBuf]) {
        let parent = |path: &Path| path.parent().unwrap().to_owned();
        match (call, paths) {
            ("write", [file]) => _ = self.dirty.insert(file.clone()),
            ("fsync", [path]) => {
                self.files_synced += usize::from(self.dirty.remove(path));
                self.unsynced.remove(path);
            }
            ("mkdir", [folder]) => {
                _ = self.unsynced.entry(parent(folder)).or_default().insert(folder.clone())
            }
            ("linkat" | "rename", [.., from, to]) => {
                assert!(!self.dirty.contains(from), "{} has a name and no content", to.display());
                self.named += 1;
                self.unsynced.entry(parent(to)).or_default().insert(to.clone());
            }
            _ => {}
        }
    }
}

/// A call that succeeded.
struct Call {
    name: String,
    paths: Vec<PathBuf>,
    /// Whether it wrote to standard output: the acknowledgement.
    is_said: bool,
}

/// The calls of a trace that succeeded, in the order in which they ended.
fn calls(trace: &str) -> Vec<Call> {
    let mut begun = BTreeMap::<&str, &str>::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(first) = rest.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, first);
            continue;
        }
        let whole = match rest.split_once(" resumed>") {
            Some((_, end)) => format!("{}{end}", begun.remove(thread).unwrap_or_default()),
            None => rest.to_owned(),
        };
        let (Some((name, arguments)), Some((_, result))) = (whole.split_once('('), whole.rsplit_once(" = "))
        else {
            continue;
        };
        if result.starts_with('-') {
            continue;
        }
        // Paths are in quotes, or after a descriptor as `3</path>`.
        let path = |part: &str| part.starts_with('/').then(|| PathBuf::from(part));
        let quoted: Vec<PathBuf> = arguments.split('"').skip(1).step_by(2).filter_map(path).collect();
        let described = arguments.split(['<', '>']).skip(1).step_by(2).filter_map(path);
        let paths = if quoted.is_empty() { described.take(1).collect() } else { quoted };
        calls.push(Call {
            name: name.to_owned(),
            paths,
            is_said: name == "write" && arguments.starts_with("1<"),
        });
    }
    calls
}

#[test]
fn what_an_import_acknowledges_is_on_disk() {
    if !has_strace() {
        return;
    }
    let home = Home::new();
    let run = traced(&home, &["-e", "trace=write,fsync,fdatasync,linkat,rename,mkdir"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let outside = home.path().canonicalize().unwrap();
    let (mut known, mut acknowledged) = (Known::default(), false);
    for call in calls(&run.trace) {
        if call.is_said {
            acknowledged = true;
            assert_eq!(known.dirty, BTreeSet::new(), "content that is not on disk");
            let names: Vec<_> = known.unsynced.values().flatten().collect();
            assert!(names.is_empty(), "names that are not on disk: {names:?}");
        } else if call.paths.iter().any(|path| path.starts_with(&outside)) {
            assert!(!acknowledged, "{} after the acknowledgement: {:?}", call.name, call.paths);
            known.take(&call.name, &call.paths);
        }
    }
    assert!(acknowledged);
    // Four tables are made, the flows of two days are written, one commit makes them readable.
    assert_eq!((known.files_synced, known.named), (7, 7));
}

/// Kills an import at the n-th call of each kind that any of its threads makes, for n = 1 and on
/// until it ends by itself.
#[test]
fn an_import_may_be_killed_at_every_call() {
    if !has_strace() {
        return;
    }
    let (step, mut killed) = (if is_nightly() { 1 } else { 4 }, BTreeMap::new());
    for call in ["mkdir", "write", "fsync", "linkat", "rename", "unlink"] {
        for n in (1..).step_by(step) {
            let home = Home::new();
            let inject = format!("inject={call}:signal=SIGKILL:when={n}");
            let run = traced(&home, &["-e", &format!("trace={call}"), "-e", &inject]);
            check_repeats(&home, &format!("killed at {call} {n}"));
            if run.code == Some(0) {
                break;
            }
            *killed.entry(call).or_insert(0) += 1;
        }
    }
    eprintln!("kills: {killed:?}");
    // How many there are depends on how the calls fall to threads; the first of a kind is always met.
    for call in ["mkdir", "write", "fsync", "linkat", "unlink"] {
        assert!(killed.contains_key(call), "never killed at {call}");
    }
}

/// Lets the n-th call of each kind that any thread makes fail, for n = 1 and on until none does.
#[test]
fn an_import_that_the_disk_refuses_says_where_and_what_to_do() {
    if !has_strace() {
        return;
    }
    let (step, mut refused) = (if is_nightly() { 1 } else { 5 }, 0);
    for (call, error) in [("fsync", "EIO"), ("linkat", "ENOSPC"), ("rename", "EIO"), ("mkdir", "ENOSPC")] {
        for n in (1..).step_by(step) {
            let home = Home::new();
            // There is a home before: only rahdar's own folders are refused.
            std::fs::create_dir(home.path().join("home")).unwrap();
            let inject = format!("inject={call}:error={error}:when={n}");
            let run = traced(&home, &["-e", &format!("trace={call}"), "-e", &inject]);
            let context = format!("{error} at {call} {n}: {}", run.stderr);
            assert!(!run.stderr.contains("panicked"), "{context}");
            check_repeats(&home, &context);
            if run.code == Some(0) {
                break;
            }
            assert_eq!(run.code, Some(1), "{context}");
            assert!(run.stderr.contains(home.path().to_str().unwrap()), "{context}");
            assert!(run.stderr.contains("hint: "), "{context}");
            refused += 1;
        }
    }
    eprintln!("{refused} refusals");
    assert!(refused >= 5, "only {refused} refusals");
}

/// A small disk in memory, until it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, octets: u64) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let size = format!("size={octets}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "rahdar-test"]).arg(at).output();
        if !mounted.is_ok_and(|mounted| mounted.status.success()) {
            rahdar_testkit::skipped("nothing may be mounted here");
            return None;
        }
        Some(Self(at.to_owned()))
    }

    /// Fills it until only so many octets are free; returns the file that does.
    fn fill_but(&self, free: u64) -> PathBuf {
        let ballast = self.0.join("ballast");
        let fill = format!("cat /dev/zero > \"$0\"; truncate -s -{free} \"$0\"");
        Command::new("sh").args(["-c", &fill]).arg(&ballast).output().unwrap();
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).output();
    }
}

/// Octets of a disk that is full soon.
const DISK: u64 = 64 << 20;

#[test]
fn an_import_onto_a_full_disk_stores_nothing_and_the_next_one_all() {
    let home = Home::new();
    let Some(disk) = SmallDisk::mount(&home.path().join("home"), DISK) else { return };
    let first = home.file("first.log", log(ROWS, 40_000));
    home.done(&["flows", "import", &first]);
    // What is left takes some of the files of the next import, not all.
    let ballast = disk.fill_but(reserve_octets(DISK) + (16 << 10));
    let second = home.file("second.log", log(4_000, 40_001));
    let refused = home.run(&["flows", "import", &second]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains(disk.0.to_str().unwrap()), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: make room"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("panicked"), "{}", refused.stderr);
    assert_eq!(home.rows(), ROWS as i64, "what was stored can be asked on a full disk");
    let claims = home.file("claims.csv", "value,type,cluster\n203.0.113.77,ipv4,Calypso\n");
    home.done(&["intel", "import", &claims]);

    std::fs::remove_file(ballast).unwrap();
    assert_eq!(home.json(&["flows", "import", &second])[0]["rows"], 4_000);
    assert_eq!(home.rows(), ROWS as i64 + 4_000);
}
