//! What is damaged is told, and hides nothing else.

use std::collections::BTreeSet;

use data_root_reader::{Elsewhere, RecordState, Volume, VolumeData, Volumes};

use crate::memory::Memory;
use crate::recorded;
use crate::support::Numbers;

const DB: &str = "volumes/metadata.db";
const PAGE: usize = 4096;

fn db() -> Vec<u8> {
    std::fs::read(recorded::truth_folder().join("data-root").join(DB)).expect("a readable file")
}

fn with_db(db: impl Into<Vec<u8>>) -> Volumes {
    recorded::volumes(recorded::data_root().file(DB, db))
}

fn names(volumes: &Volumes) -> BTreeSet<&str> {
    volumes.list.iter().map(|volume| volume.name.as_str()).collect()
}

fn volume<'a>(volumes: &'a Volumes, name: &str) -> &'a Volume {
    volumes.list.iter().find(|volume| volume.name == name).expect("the volume is listed")
}

/// Every volume that has a directory is listed with its data, whatever the database is like.
fn assert_all_listed(volumes: &Volumes) {
    let whole = recorded::volumes(recorded::data_root());
    assert!(names(volumes).is_superset(&names(&whole)));
    for expected in &whole.list {
        let found = volume(volumes, &expected.name);
        assert_eq!((&found.data, &found.options), (&expected.data, &expected.options), "{}", expected.name);
        assert_eq!(found.used_by, expected.used_by);
    }
}

#[test]
fn a_truncated_database_hides_no_volume() {
    let db = db();
    for len in (0..8 * PAGE).step_by(512) {
        let volumes = with_db(&db[..len]);
        assert_all_listed(&volumes);
        assert_eq!(
            volumes.findings.is_empty(),
            volumes.list.iter().all(|v| v.record == RecordState::Current)
        );
    }
}

#[test]
fn a_zeroed_page_costs_no_more_than_labels_and_is_told() {
    let whole = db();
    let mut told = 0;
    for page in 0..whole.len() / PAGE {
        let mut db = whole.clone();
        db[page * PAGE..(page + 1) * PAGE].fill(0);
        let volumes = with_db(db);
        assert_all_listed(&volumes);
        let lacks_labels = volume(&volumes, "shop_db-data").labels.is_none();
        assert!(!lacks_labels || !volumes.findings.is_empty(), "page {page}");
        told += usize::from(!volumes.findings.is_empty());
    }
    // Two meta pages, the root, and the leaf of the records.
    assert_eq!(told, 4);
}

#[test]
fn labels_come_from_an_older_state_when_the_newest_is_destroyed() {
    let whole = recorded::many_volumes_db();
    let mut memory = Memory::default();
    for volume in recorded::many_volumes() {
        memory = memory.directory(format!("volumes/{}/_data", volume["Name"].as_str().expect("a name")));
    }
    // Each page in turn, both meta pages at once, and everything but one leaf.
    let pages = whole.len() / PAGE;
    let losses = (0..pages).map(|page| vec![page]).chain([vec![0, 1], vec![0, 1, 16, 17, 18, 19]]);
    for lost in losses {
        let mut db = whole.clone();
        for &page in &lost {
            db[page * PAGE..(page + 1) * PAGE].fill(0x5a);
        }
        let volumes = recorded::volumes(memory.clone().file(DB, db));
        assert_eq!(volumes.list.len(), 120, "{lost:?}");
        let with_labels = volumes.list.iter().filter(|volume| volume.labels.is_some()).count();
        assert!(with_labels >= 105, "{lost:?}: {with_labels}");
        for volume in &volumes.list {
            let number = volume.labels.as_ref().map(|labels| format!("volume-{}", labels["number"]));
            assert!(number.is_none_or(|number| number == volume.name));
            assert_eq!(volume.labels.is_none(), volume.record == RecordState::Missing);
        }
        if volumes.list.iter().any(|volume| volume.record != RecordState::Current) {
            assert_eq!(volumes.findings.len(), 1, "{lost:?}");
        }
    }
}

#[test]
fn volumes_that_were_deleted_do_not_come_back_with_an_older_state() {
    let mut db = recorded::many_volumes_db();
    db[..2 * PAGE].fill(0);
    let volumes = recorded::volumes(Memory::default().file(DB, db).directory("volumes/volume-001/_data"));
    assert_eq!(names(&volumes), BTreeSet::from(["volume-001"]));
    assert_eq!(volumes.list[0].record, RecordState::Uncertain);
}

#[test]
fn no_flipped_byte_of_the_database_hides_a_volume() {
    let mut db = db();
    let mut numbers = Numbers::new(7);
    for at in (0..db.len()).filter(|&at| at < 8 * PAGE && at % PAGE < 400 || at % 509 == 0) {
        let mask = u8::try_from(1 + numbers.below(255)).expect("a byte");
        db[at] ^= mask;
        let volumes = with_db(db.as_slice());
        assert!(names(&volumes).len() >= 10, "byte {at}");
        db[at] ^= mask;
    }
}

#[test]
fn mutated_databases_never_make_the_reader_fail() {
    let whole = recorded::many_volumes_db();
    let base = Memory::default().directory("volumes/volume-001/_data");
    let mut numbers = Numbers::new(11);
    for _ in 0..1500 {
        let mut db = whole.clone();
        for _ in 0..=numbers.below(12) {
            let len = db.len() as u64;
            let at = usize::try_from(numbers.below(len)).expect("small");
            // Mostly where headers and elements are, and mostly with the values that hurt.
            let at = if numbers.below(4) > 0 { at / PAGE * PAGE + at % 256 } else { at };
            db[at] = [0, 1, 2, 0x7f, 0x80, 0xff, db[at] ^ 1, db[at].wrapping_add(1)]
                [usize::try_from(numbers.below(8)).expect("small")];
        }
        db.truncate(
            db.len() - usize::try_from(numbers.below(3) * numbers.below(PAGE as u64)).expect("small"),
        );
        let volumes = recorded::volumes(base.clone().file(DB, db));
        assert!(names(&volumes).contains("volume-001"));
    }
}

#[test]
fn a_bad_sector_in_the_database_costs_only_what_it_holds() {
    for page in 0..6 {
        let memory = recorded::data_root().unreadable(DB, page * PAGE as u64 + 1);
        let volumes = recorded::volumes(memory);
        assert_all_listed(&volumes);
        assert_eq!(volumes.findings.len(), 1);
        assert!(volumes.findings[0].problem.contains("bad sector"), "{}", volumes.findings[0].problem);
        assert_eq!(volumes.findings[0].path, format!("/{DB}"));
    }
}

#[test]
fn a_damaged_container_hides_no_other_and_is_told() {
    let whole = recorded::volumes(recorded::data_root());
    let id = &volume(&whole, "static-site").used_by[0].container_id;
    let path = format!("containers/{id}/config.v2.json");
    for damaged in [
        recorded::data_root().file(&path, ""),
        recorded::data_root().file(&path, "{\"ID\":\"x\",\"Name\":"),
        recorded::data_root().file(&path, [0; 4096]),
        recorded::data_root().file(&path, "[".repeat(100_000)),
        recorded::data_root().unreadable(&path, 0),
        recorded::data_root().unreadable(&path, 1000),
        recorded::data_root().without(&path),
    ] {
        let volumes = recorded::volumes(damaged);
        assert_eq!(names(&volumes), names(&whole));
        assert_eq!(volume(&volumes, "static-site").used_by, []);
        assert_eq!(volume(&volumes, "shop_db-data").used_by, volume(&whole, "shop_db-data").used_by);
        assert_eq!(volumes.findings.len(), 1);
        assert!(volumes.findings[0].path.starts_with(&format!("/containers/{id}")));
    }
    let volumes = recorded::volumes(recorded::data_root().unreadable("containers", 0));
    assert_eq!((names(&volumes), volumes.findings.len()), (names(&whole), 1));
}

#[test]
fn fields_of_unexpected_types_are_as_if_missing() {
    let config = r#"{"ID":7,"Name":null,"LogPath":[],"MountPoints":{"/a":{"Name":"empty","RW":"yes"},"/b":3,"/c":{"Name":1}}}"#;
    let volumes = recorded::volumes(recorded::data_root().file("containers/odd/config.v2.json", config));
    let usage = &volume(&volumes, "empty").used_by[0];
    assert_eq!((&*usage.container_id, &*usage.container, &*usage.destination), ("odd", "", "/a"));
    assert_eq!(volumes.findings, []);
}

#[test]
fn damaged_options_are_taken_from_the_record() {
    let bind = VolumeData::Elsewhere(Elsewhere::Bind { path: "/srv/data".to_owned() });
    for options in ["", "{", "{\"MountType\":"] {
        let volumes = recorded::volumes(recorded::data_root().file("volumes/host-bind/opts.json", options));
        assert_eq!(volume(&volumes, "host-bind").data, bind);
        assert_eq!(volumes.findings.len(), 1);
    }
    let volumes = recorded::volumes(recorded::data_root().without("volumes/host-bind/opts.json"));
    assert_eq!(volume(&volumes, "host-bind").data, bind);
    // And the record's from the file.
    let volumes = recorded::volumes(recorded::data_root().without(DB));
    let options = volume(&volumes, "host-bind").options.as_ref().expect("options");
    assert_eq!((&*options["type"], &*options["o"], &*options["device"]), ("none", "bind", "/srv/data"));
}

#[test]
fn an_unreadable_volume_is_listed_as_missing() {
    let volumes = recorded::volumes(recorded::data_root().unreadable("volumes/static-site", 0));
    assert_eq!(volume(&volumes, "static-site").data, VolumeData::Missing);
    assert_eq!(volumes.findings.len(), 1);
    assert!(volumes.findings[0].problem.contains("bad sector"));

    let volumes = recorded::volumes(recorded::data_root().unreadable("volumes/static-site/_data", 0));
    assert_eq!(volume(&volumes, "static-site").data, VolumeData::Missing);
    assert_eq!(volume(&volumes, "empty").data, VolumeData::Here);
}
