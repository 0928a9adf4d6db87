//! A chain shows every change, and holds where nothing was changed.

use serde_json::json;

use super::*;

fn entry(number: i64) -> AuditEntry {
    AuditEntry {
        at: DateTime::from_timestamp_micros(1_773_480_413_589_001 + number).unwrap(),
        action: "put_user".to_owned(),
        outcome: Outcome::Done,
        code: None,
        user: Some("amy".parse().unwrap()),
        credential: "access_token".to_owned(),
        target: format!("/v1/users/{number}"),
        request_id: Some("r".to_owned()),
        address: "192.0.2.1".parse().ok(),
        detail: json!({"role": "admin"}),
    }
}

/// A sound chain as clients get it, and its head.
fn chain(length: i64) -> (Vec<Value>, Head) {
    let tenant = "acme".parse().unwrap();
    let mut head = Head::default();
    let mut entries = Vec::new();
    for number in 1..=length {
        let Value::Object(members) = serde_json::to_value(entry(number)).unwrap() else { panic!("an object") };
        let linked = link(&tenant, members, head);
        let mut told: Value = serde_json::from_str(&linked.text).unwrap();
        told["hash"] = json!(linked.head.hash);
        entries.push(told);
        head = linked.head;
    }
    (entries, head)
}

fn walk(entries: &[Value], head: Head) -> Result<Head, Broken> {
    let mut walk = Walk::default();
    for entry in entries {
        walk.step(entry)?;
    }
    walk.finish(head)
}

#[test]
fn what_nobody_touched_holds() {
    for length in [0, 1, 2, 50] {
        let (entries, head) = chain(length);
        assert_eq!(walk(&entries, head), Ok(head));
    }
    let (entries, head) = chain(5);
    let (_, before) = chain(4);
    assert_eq!(walk(&entries, before), Ok(head), "one came while the others were read");
}

/// The example of `docs/audit.md`.
#[test]
fn the_form_is_the_documented_one() {
    let (entries, _) = chain(1);
    let text = canonical::text(&{
        let mut entry = entries[0].clone();
        entry.as_object_mut().unwrap().remove("hash");
        entry
    });
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/audit.md")).unwrap();
    assert!(page.contains(&text), "{text}");
    assert!(page.contains(entries[0]["hash"].as_str().unwrap()), "{}", entries[0]["hash"]);
    let told: ChainedEntry = serde_json::from_value(entries[0].clone()).unwrap();
    assert_eq!(serde_json::to_value(&told).unwrap(), entries[0], "the type loses nothing");
}

#[test]
fn every_changed_member_shows() {
    let (entries, head) = chain(5);
    let members: Vec<String> = entries[2].as_object().unwrap().keys().cloned().collect();
    assert_eq!(members.len(), 14);
    for member in members {
        let mut changed = entries.clone();
        changed[2][&member] = json!("another");
        assert!(walk(&changed, head).is_err(), "{member}");
        let mut lacking = entries.clone();
        lacking[2].as_object_mut().unwrap().remove(&member);
        assert!(walk(&lacking, head).is_err(), "{member} removed");
    }
    let mut changed = entries;
    changed[2]["detail"]["role"] = json!("developer");
    assert_eq!(walk(&changed, head), Err(Broken::Changed { seq: 3 }));
    // With a hash that fits, the next one no longer follows.
    changed[2]["hash"] = json!(hash_of(&changed[2]));
    assert_eq!(walk(&changed, head), Err(Broken::Unlinked { seq: 4 }));
}

#[test]
fn every_removed_and_every_moved_entry_shows() {
    let (entries, head) = chain(5);
    for at in 0..4 {
        let mut fewer = entries.clone();
        fewer.remove(at);
        let (expected, found) = (at as i64 + 1, at as i64 + 2);
        assert_eq!(walk(&fewer, head), Err(Broken::Missing { expected, found }));
        let mut swapped = entries.clone();
        swapped.swap(at, at + 1);
        assert_eq!(walk(&swapped, head), Err(Broken::Missing { expected, found }));
        // Numbered anew, each is another entry.
        fewer.iter_mut().enumerate().for_each(|(at, entry)| entry["seq"] = json!(at + 1));
        assert_eq!(walk(&fewer, head), Err(Broken::Changed { seq: expected }));
    }
    assert_eq!(walk(&entries[..4], head), Err(Broken::CutOff { expected: 5, found: 4 }));
    assert_eq!(walk(&[], head), Err(Broken::CutOff { expected: 5, found: 0 }));
    assert_eq!(walk(&[entries.clone(), vec![json!(7)]].concat(), head), Err(Broken::NoEntry { expected: 6 }));
    let mut foreign = entries;
    foreign[1]["tenant"] = json!("globex");
    assert!(matches!(walk(&foreign, head), Err(Broken::OtherTenant { seq: 2, .. })));
}

/// Whoever can write everything, the head too, writes a whole new chain: who kept a head sees it.
#[test]
fn a_kept_head_shows_a_chain_that_was_written_anew() {
    let (_, kept) = chain(3);
    let tenant = "acme".parse().unwrap();
    let mut head = Head::default();
    let mut forged = Vec::new();
    for number in [1, 2, 4, 5] {
        let Value::Object(members) = serde_json::to_value(entry(number)).unwrap() else { panic!("an object") };
        let linked = link(&tenant, members, head);
        let mut told: Value = serde_json::from_str(&linked.text).unwrap();
        told["hash"] = json!(linked.head.hash);
        forged.push(told);
        head = linked.head;
    }
    assert_eq!(walk(&forged, head), Ok(head), "in itself it is sound");
    let past = |entries: &[Value]| {
        let mut walk = Walk::past(vec![kept]);
        entries.iter().try_for_each(|entry| walk.step(entry))?;
        walk.finish(Head::default())
    };
    assert_eq!(past(&forged), Err(Broken::Rewritten { seq: 3 }));
    assert_eq!(past(&forged[..2]), Err(Broken::CutOff { expected: 3, found: 2 }));
    assert!(past(&chain(5).0).is_ok());
}
