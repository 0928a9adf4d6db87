//! Root and everybody else: as root PostgreSQL is given another user, anybody else runs all of it as they are.

use nix::unistd::{Uid, User};

use crate::harness::{Dev, Place, descendants};

#[test]
fn without_root_every_part_runs_as_its_starter() {
    let place = Place::unprivileged();
    let starter = place.user().map_or_else(Uid::effective, |user| user.uid);
    assert!(!starter.is_root());
    let dev = Dev::start(&place);
    assert!(place.status().iter().all(|part| part.healthy), "{:?}", place.status());
    let users: Vec<Uid> = descendants(dev.pid()).iter().filter_map(|process| process.user()).collect();
    assert!(users.len() > 3 && users.iter().all(|user| *user == starter), "{users:?}");
    assert_eq!(place.sql_value("SELECT 'serves'"), "serves");
    dev.stop();
}

#[test]
fn as_root_postgresql_has_another_user_and_the_others_have_root() {
    if !Uid::effective().is_root() {
        return;
    }
    let place = Place::engines();
    let dev = Dev::start(&place);
    let nobody = User::from_name("nobody").unwrap().unwrap().uid;
    let processes = descendants(dev.pid());
    for part in place.status() {
        let process = processes.iter().find(|process| Some(process.pid()) == part.pid).unwrap();
        let user = process.user().unwrap();
        assert_eq!(user, if part.name == "postgres" { nobody } else { Uid::from_raw(0) }, "{}", part.name);
    }
    dev.stop();
}
