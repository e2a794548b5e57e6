use data_root_reader::Error;
use data_root_reader::bolt::{Bucket, Database, Entry, State, stray_leaf_elements};

use crate::recorded::{many_volumes, many_volumes_db};

const PAGE: usize = 4096;
/// Offsets of fields in a meta page, its header included.
const META_VERSION: usize = 20;
const META_PAGE_SIZE: usize = 24;
const META_ROOT: usize = 32;
const META_TRANSACTION: usize = 64;
const META_CHECKSUM: usize = 72;

#[test]
fn a_bucket_gives_all_keys_in_order() {
    assert_eq!(newest_names(&many_volumes_db()), (Vec::from_iter(told_names()), 0));
}

#[test]
fn the_two_meta_pages_give_the_two_last_states() {
    let db = many_volumes_db();
    let database = Database::parse(&db).expect("a database");
    let states: Vec<State<'_>> = database.states().collect();
    assert_eq!(states.iter().map(State::transaction).collect::<Vec<_>>().len(), 2);
    assert_eq!(states[0].transaction(), states[1].transaction() + 1);
    // The last transaction removed the last volume.
    let mut names = told_names();
    names.push("volume-150".to_owned());
    assert_eq!(names_in(&states[1]), (names, 0));
    assert_eq!(database.damaged_meta(), None);
}

#[test]
fn without_the_newest_meta_page_the_older_state_is_read() {
    let mut db = many_volumes_db();
    let newest = newest_meta(&db);
    db[newest..newest + PAGE].fill(0);
    let database = Database::parse(&db).expect("a database");
    assert_eq!(database.damaged_meta().expect("damage").offset(), newest as u64);
    assert_eq!(newest_names(&db).0.last().expect("names"), "volume-150");
}

#[test]
fn the_free_list_is_not_needed() {
    let mut db = many_volumes_db();
    let free_lists: Vec<usize> = (0..db.len()).step_by(PAGE).filter(|&page| db[page + 8] == 0x10).collect();
    assert_eq!(free_lists.len(), 2);
    for page in free_lists {
        db[page..page + PAGE].fill(0xff);
    }
    assert_eq!(newest_names(&db), (told_names(), 0));
}

#[test]
fn pages_of_any_size_are_found_also_without_the_first_meta_page() {
    for page_size in [8192, 16384, 65536] {
        let mut db = with_pages_of(page_size, &many_volumes_db());
        assert_eq!(newest_names(&db), (told_names(), 0), "{page_size}");
        db[..page_size].fill(0);
        assert_eq!(newest_names(&db).1, 0, "{page_size}");
        db[page_size..2 * page_size].fill(0);
        assert!(matches!(Database::parse(&db), Err(Error::Corrupt(_))));
        assert!(
            told_names().iter().all(|name| stray_leaf_elements(&db).any(|(key, _)| key == name.as_bytes()))
        );
    }
}

#[test]
fn another_version_is_unsupported_and_not_called_corrupt() {
    let mut db = many_volumes_db();
    for meta in [0, PAGE] {
        db[meta + META_VERSION] = 3;
    }
    assert!(matches!(Database::parse(&db), Err(Error::Unsupported(what)) if what.contains("version 3")));
}

#[test]
fn a_destroyed_leaf_costs_only_its_own_keys() {
    let db = many_volumes_db();
    let branch = root_of_volumes(&db);
    let first_leaf = child(&db, branch, 0);
    let mut db = db;
    db[first_leaf * PAGE..(first_leaf + 1) * PAGE].fill(0);
    let (names, damage) = newest_names(&db);
    assert_eq!(damage, 1);
    assert_eq!(names, told_names()[told_names().len() - names.len()..]);
    assert!(names.len() > 100);
}

#[test]
fn pages_that_point_to_each_other_end_the_walk() {
    let db = many_volumes_db();
    let branch = root_of_volumes(&db);
    let sibling = child(&db, branch, 1);
    // To itself, to the root of the database, to a page reached already, beyond the file, to a meta page.
    for target in [branch as u64, root(&db), sibling as u64, 1 << 40, u64::MAX, 0] {
        let mut db = db.clone();
        let at = branch * PAGE + 16 + 2 * 16 + 8;
        db[at..at + 8].copy_from_slice(&target.to_le_bytes());
        let (names, damage) = newest_names(&db);
        assert_eq!(damage, 1, "{target}");
        assert!(names.len() > 100 && names.len() < 120, "{target}");
    }
}

#[test]
fn elements_that_overlap_cannot_multiply_a_file() {
    // One leaf that claims the whole file, all of whose 65535 elements are the same large value.
    let mut db = many_volumes_db();
    let leaf = child(&db, root_of_volumes(&db), 0) * PAGE;
    let elements = (db.len() - leaf) / 16;
    db[leaf + 10..leaf + 12].copy_from_slice(&u16::MAX.to_le_bytes());
    db[leaf + 12..leaf + 16].copy_from_slice(&31_u32.to_le_bytes());
    for index in 0..elements - 2 {
        let at = leaf + 16 + index * 16;
        for (field, value) in [0, 16, 3, 8000_u32].into_iter().enumerate() {
            db[at + 4 * field..at + 4 * field + 4].copy_from_slice(&value.to_le_bytes());
        }
    }
    let (names, damage) = newest_names(&db);
    let bound = db.len() + (16 << 20);
    assert!(names.len() * 8000 <= bound, "{} values", names.len());
    assert_eq!(damage, 1);
    let database = Database::parse(&db).expect("a database");
    let total: usize = database.leaf_elements().map(|(key, value)| key.len() + value.len()).sum();
    assert!(total <= bound);
}

#[test]
fn no_truncation_and_no_flipped_byte_makes_it_fail_worse_than_corrupt() {
    let db = many_volumes_db();
    for len in (0..db.len()).step_by(512).chain(0..200) {
        walk(&db[..len]);
    }
    let mut db = db;
    // Headers and elements lie at the start of a page, keys and values at the end of those.
    for at in (0..24 * PAGE).filter(|at| at % PAGE < 320 || at % 97 == 0) {
        for mask in [0xff, 0x01, 0x80] {
            db[at] ^= mask;
            walk(&db);
            db[at] ^= mask;
        }
    }
}

/// Walks whatever can be walked.
fn walk(db: &[u8]) {
    if let Ok(database) = Database::parse(db) {
        for state in database.states() {
            names_in(&state);
        }
    }
}

fn told_names() -> Vec<String> {
    many_volumes().iter().map(|volume| volume["Name"].as_str().expect("a name").to_owned()).collect()
}

/// The keys of the bucket of volumes in the newest state, and how many damages were met.
fn newest_names(db: &[u8]) -> (Vec<String>, usize) {
    names_in(&Database::parse(db).expect("a database").states().next().expect("a state"))
}

fn names_in(state: &State<'_>) -> (Vec<String>, usize) {
    let (mut names, mut damage) = (Vec::new(), 0);
    let bucket = state.root().bucket(b"volumes");
    damage += usize::from(bucket.is_err());
    for entry in bucket.ok().flatten().iter().flat_map(Bucket::entries) {
        match entry {
            Ok((name, Entry::Value { .. })) => names.push(String::from_utf8_lossy(name).into_owned()),
            Ok((_, Entry::Bucket(bucket))) => drop(bucket.entries().count()),
            Err(_) => damage += 1,
        }
    }
    (names, damage)
}

fn u64_at(db: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(db[at..at + 8].try_into().expect("8 bytes"))
}

/// Where the meta page of the last transaction lies.
fn newest_meta(db: &[u8]) -> usize {
    if u64_at(db, META_TRANSACTION) > u64_at(db, PAGE + META_TRANSACTION) { 0 } else { PAGE }
}

fn root(db: &[u8]) -> u64 {
    u64_at(db, newest_meta(db) + META_ROOT)
}

/// The branch page at which the bucket of volumes begins: the first bytes of the value of the root's only key.
fn root_of_volumes(db: &[u8]) -> usize {
    let leaf = usize::try_from(root(db)).expect("small") * PAGE;
    let key = (leaf..leaf + PAGE).find(|&at| db[at..].starts_with(b"volumes")).expect("the key");
    usize::try_from(u64_at(db, key + b"volumes".len())).expect("small")
}

fn child(db: &[u8], branch: usize, index: usize) -> usize {
    usize::try_from(u64_at(db, branch * PAGE + 16 + index * 16 + 8)).expect("small")
}

/// The same database as one with larger pages.
fn with_pages_of(page_size: usize, db: &[u8]) -> Vec<u8> {
    let mut larger = vec![0; db.len() / PAGE * page_size];
    for (page, place) in db.chunks(PAGE).zip(larger.chunks_mut(page_size)) {
        place[..PAGE].copy_from_slice(page);
    }
    for meta in [0, page_size] {
        let size = u32::try_from(page_size).expect("small");
        larger[meta + META_PAGE_SIZE..meta + META_PAGE_SIZE + 4].copy_from_slice(&size.to_le_bytes());
        let checksum =
            larger[meta + 16..meta + META_CHECKSUM].iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        larger[meta + META_CHECKSUM..meta + META_CHECKSUM + 8].copy_from_slice(&checksum.to_le_bytes());
    }
    larger
}
