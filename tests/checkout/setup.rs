//! `tools/setup.sh` on machines where something is missing: it says what, and changes nothing.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// What every machine has; the rest of a PATH is made here.
const EVERYWHERE: [&str; 12] =
    ["bash", "cat", "cp", "cut", "dirname", "head", "id", "mkdir", "rm", "sha256sum", "sort", "uname"];

/// A machine with what the set-up asks for, each program answering as it would.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        fs::create_dir(machine.programs()).unwrap();
        for name in EVERYWHERE {
            let found = Command::new("sh").args(["-c", &format!("command -v {name}")]).output().unwrap();
            symlink(String::from_utf8(found.stdout).unwrap().trim(), machine.programs().join(name)).unwrap();
        }
        for (name, says) in [("cargo", "cargo 1.95.0"), ("node", "v20.1.0"), ("npm", "10.0.0"), ("go", "go1.24.1")] {
            machine.has(name, says);
        }
        for name in ["cc", "curl", "pkg-config", "python3"] {
            machine.is_program(name, "exit 0");
        }
        machine
    }

    fn has(&self, name: &str, says: &str) {
        self.is_program(name, &format!("echo '{says}'"));
    }

    fn is_program(&self, name: &str, script: &str) {
        let program = self.programs().join(name);
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn lacks(&self, name: &str) {
        fs::remove_file(self.programs().join(name)).unwrap();
    }

    fn programs(&self) -> std::path::PathBuf {
        self.0.path().join("programs")
    }

    fn tools(&self) -> std::path::PathBuf {
        self.0.path().join("tools")
    }

    fn sets_up(&self, arguments: &[&str]) -> Output {
        let mut setup = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/setup.sh"));
        setup.args(arguments).env_clear().env("PATH", self.programs()).env("ZAMA_TOOLS_DIR", self.tools());
        setup.env("HOME", self.0.path()).output().unwrap()
    }

    /// The one line with which it refuses.
    fn is_refused(&self, arguments: &[&str]) -> String {
        let output = self.sets_up(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
        assert!(output.stdout.is_empty() && !self.tools().exists(), "a refusal changes nothing: {said}");
        said.trim_end().to_owned()
    }
}

#[test]
fn each_prerequisite_that_is_missing_is_named() {
    for (program, name) in [
        ("cargo", "Rust is missing: "),
        ("cc", "a C compiler is missing: "),
        ("node", "Node is missing: "),
        ("npm", "npm is missing: "),
        ("go", "Go is missing: "),
        ("pkg-config", "pkg-config is missing: "),
    ] {
        let machine = Machine::new();
        machine.lacks(program);
        let said = machine.is_refused(&[]);
        assert!(said.starts_with(&format!("setup: {name}")), "without {program}: {said}");
    }
    let machine = Machine::new();
    machine.is_program("pkg-config", "exit 1");
    assert!(machine.is_refused(&[]).starts_with("setup: OpenSSL's headers are missing: "));
}

#[test]
fn what_is_too_old_is_named_with_its_version() {
    for (program, version, said) in [
        ("node", "v18.19.1", "setup: Node 20 or newer is needed, found 18.19.1"),
        ("go", "go1.22.12", "setup: Go 1.24 or newer is needed, found 1.22.12"),
    ] {
        let machine = Machine::new();
        machine.has(program, version);
        assert_eq!(machine.is_refused(&[]), said);
    }
}

#[test]
fn another_machine_than_the_engines_is_refused() {
    let machine = Machine::new();
    machine.lacks("uname");
    machine.has("uname", "Darwin arm64");
    assert_eq!(machine.is_refused(&[]), "setup: the pinned engines are for Linux on x86_64; this is Darwin arm64");
}

#[test]
fn what_tests_need_is_asked_for_by_them_alone() {
    for (program, name) in [("python3", "Python 3"), ("curl", "curl")] {
        let machine = Machine::new();
        machine.lacks(program);
        let said = machine.is_refused(&["--for-tests"]);
        assert!(said.starts_with(&format!("setup: {name} is missing: ")), "without {program}: {said}");
        // Without it the set-up goes on until it needs what this machine does not have.
        let output = machine.sets_up(&[]);
        let said = String::from_utf8(output.stderr).unwrap();
        let refused = said.contains(&format!("{name} is missing"));
        assert!(!output.status.success() && !refused, "without {program}: {said}");
    }
}
