//! `zama-jobs temporal setup`, on a server that has more or less of what we need.

use std::thread;

use serde_json::{Value, json};

use crate::harness::{Run, Stack, eventually};

fn sets_up(namespace: &str) -> Run {
    Stack::shared().runs(&["temporal", "setup"], &[("ZAMA__TEMPORAL__NAMESPACE", namespace)])
}

fn tells(run: &Run, namespace: &str, added: &[&str]) {
    let added: String = added.iter().map(|name| format!("search attribute {name}: added\n")).collect();
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (Some(0), format!("namespace {namespace}\n{added}").as_str()),
        "{run:?}"
    );
}

fn has_what_we_need(namespace: &str) {
    let keyword = "INDEXED_VALUE_TYPE_KEYWORD";
    let needed = json!({"ZamaJobType": keyword, "ZamaStatus": keyword, "ZamaTenant": keyword});
    assert_eq!(Stack::shared().search_attributes(namespace), needed);
}

/// Somebody else's namespace, with one attribute.
fn is_made_elsewhere(namespace: &str, attribute: &str, kind: &str) {
    let stack = Stack::shared();
    let made = stack.temporal_in(namespace, &["operator", "namespace", "create"]);
    assert!(made.status.success(), "{made:?}");
    let create = ["operator", "search-attribute", "create", "--name", attribute, "--type", kind];
    // A new namespace is not known everywhere at once.
    eventually("the attribute is there", || stack.temporal_in(namespace, &create).status.success());
}

#[test]
fn what_is_missing_is_made_and_a_second_run_makes_nothing() {
    tells(&sets_up("fresh"), "fresh: registered", &["ZamaJobType", "ZamaStatus", "ZamaTenant"]);
    has_what_we_need("fresh");
    tells(&sets_up("fresh"), "fresh: known", &[]);
    has_what_we_need("fresh");
    let namespace = ("ZAMA__TEMPORAL__NAMESPACE", "fresh");
    let told = Stack::shared().runs(&["temporal", "setup", "--json"], &[namespace]).ends(0).document::<Value>();
    assert_eq!(told, json!({"namespace": "fresh", "registered": false, "attributes_added": []}));
}

#[test]
fn two_at_once_end_well() {
    let runs =
        thread::scope(|scope| [(), ()].map(|()| scope.spawn(|| sets_up("contended"))).map(|run| run.join().unwrap()));
    assert!(runs.iter().all(|run| run.code == Some(0)), "{runs:?}");
    has_what_we_need("contended");
    tells(&sets_up("contended"), "contended: known", &[]);
}

#[test]
fn what_is_there_already_is_left_alone() {
    is_made_elsewhere("begun", "ZamaTenant", "Keyword");
    tells(&sets_up("begun"), "begun: known", &["ZamaJobType", "ZamaStatus"]);
    has_what_we_need("begun");
}

#[test]
fn an_attribute_of_another_type_is_named_and_nothing_is_added() {
    is_made_elsewhere("taken", "ZamaStatus", "Text");
    let run = sets_up("taken");
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:?}");
    assert!(
        run.stderr.contains("search attribute ZamaStatus of namespace taken is of type TEXT, not KEYWORD"),
        "{run:?}"
    );
    assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
    assert_eq!(Stack::shared().search_attributes("taken"), json!({"ZamaStatus": "INDEXED_VALUE_TYPE_TEXT"}));
}
