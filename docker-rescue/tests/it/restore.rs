//! The commands that `recover` prints put a volume back into a Docker that works, exactly.

use crate::command::{docker_disk, read_json, rescue, truth};
use crate::engine::Engine;
use crate::support::{needs, testdata};

#[test]
fn the_commands_of_the_report_restore_volumes_exactly() {
    needs!("root", "dockerd", "docker", "python3", "tar");
    let data_root = tempfile::tempdir().expect("a temporary folder");
    let engine = Engine::start(data_root.path());
    // An image of the name that the commands use, with the tools that they use.
    engine.sh("for program in tar cp sh; do
             for file in $(command -v $program) $(ldd $(command -v $program) | grep -o '/[^ ]*'); do
                 mkdir -p image$(dirname $file); cp -L $file image$file
             done
         done
         tar -C image -c . | docker import - debian:stable-slim");
    let manifest = testdata().join("manifest.py");
    for form in ["dir", "tar"] {
        let target = engine.folder().join(form);
        let disk = docker_disk();
        let args = ["recover".as_ref(), disk.as_os_str(), "-o".as_ref(), target.as_os_str(), "--as".as_ref()];
        rescue(args.into_iter().chain([form.as_ref()])).ok();
        let report = read_json(&target.join("report.json"));
        for volume in report["data_roots"][0]["volumes"].as_array().expect("a list") {
            let name = volume["name"].as_str().expect("a name");
            let commands: Vec<_> = volume["restore"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|line| line.as_str().expect("text"))
                .collect();
            if commands.is_empty() {
                continue;
            }
            engine.sh(&format!("cd {form}\n{}", commands.join("\n")));
            let restored = String::from_utf8(engine.sh(&format!(
                "python3 {} {}/volumes/{name}/_data",
                manifest.display(),
                data_root.path().display()
            )));
            let expected =
                std::fs::read_to_string(truth(&format!("volumes/{name}.jsonl"))).expect("readable");
            // A tar file cannot hold sockets.
            let keeps = |line: &&str| form == "dir" || !line.contains("\"kind\":\"socket\"");
            let expected: Vec<_> = expected.lines().filter(keeps).collect();
            let restored = restored.expect("ASCII");
            assert_eq!(restored.lines().collect::<Vec<_>>(), expected, "{name} as {form}");
            let labels = engine.sh(&format!(
                "docker volume inspect --format '{{{{json .Labels}}}}' {name}; docker volume rm {name}"
            ));
            let labels = String::from_utf8(labels).expect("text");
            if name == "shop_db-data" {
                assert!(labels.contains("\"com.docker.compose.project\":\"shop\""), "{labels}");
            }
        }
    }
}
