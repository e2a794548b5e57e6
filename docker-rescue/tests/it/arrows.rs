//! The arrows between crates go as ARCHITECTURE.md draws them: down only, and never between crates of one floor.

use std::collections::BTreeSet;

/// Each published crate with the crates of this workspace it may depend on, development included.
const ARROWS: &[(&str, &[&str])] = &[
    ("qcow2-reader", &[]),
    ("ext4-reader", &[]),
    ("file-tree", &[]),
    ("image-unpacker", &["file-tree"]),
    ("volume-snapshot", &["file-tree"]),
    ("data-root-reader", &["file-tree"]),
    (
        "docker-rescue",
        &[
            "data-root-reader",
            "ext4-reader",
            "file-tree",
            "image-unpacker",
            "qcow2-reader",
            "volume-snapshot",
        ],
    ),
];

/// Packages of the workspace that nothing may depend on.
const OUTSIDE: &[&str] = &["docker-rescue-examples", "docker-rescue-benches"];

#[test]
fn crates_depend_only_downwards() {
    let workspace = cargo_metadata::MetadataCommand::new().no_deps().exec().expect("cargo metadata");
    let members: BTreeSet<String> =
        workspace.packages.iter().map(|package| package.name.to_string()).collect();
    let drawn = ARROWS.iter().map(|(name, _)| *name).chain(OUTSIDE.iter().copied());
    assert_eq!(members, drawn.map(str::to_owned).collect(), "every member of the workspace is drawn");

    for (name, allowed) in ARROWS {
        let package =
            workspace.packages.iter().find(|package| package.name.as_str() == *name).expect("member");
        for dependency in package.dependencies.iter().filter(|d| members.contains(&d.name)) {
            assert!(
                allowed.contains(&dependency.name.as_str()),
                "{name} depends on {}, which ARCHITECTURE.md does not draw",
                dependency.name
            );
        }
    }
}

#[test]
fn published_crates_forbid_unsafe_code() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (name, _) in ARROWS {
        let lib = std::fs::read_to_string(root.join(name).join("src/lib.rs")).expect("lib.rs");
        assert!(lib.contains("#![forbid(unsafe_code)]"), "{name}");
    }
}
