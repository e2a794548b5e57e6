//! A Docker engine of a test's own.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::sh;

/// A running `dockerd`; stopped on drop.
pub(crate) struct Engine {
    process: Child,
    folder: tempfile::TempDir,
}

impl Engine {
    /// Starts an engine on this data root, and waits until it answers.
    pub(crate) fn start(data_root: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let below = |name: &str| folder.path().join(name);
        let process = Command::new("dockerd")
            .arg("--data-root")
            .arg(data_root)
            .arg("--exec-root")
            .arg(below("exec"))
            .arg("--pidfile")
            .arg(below("pid"))
            .arg(format!("--host=unix://{}", below("sock").display()))
            .args(["--iptables=false", "--bridge=none"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dockerd starts");
        let engine = Self { process, folder };
        engine.sh("for _ in $(seq 150); do docker version >version.log 2>&1 && exit; sleep 0.2; done; cat version.log; exit 1");
        engine
    }

    /// A folder of the engine's own, in which scripts run.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a script in the engine's folder, with `docker` talking to the engine.
    pub(crate) fn sh(&self, script: &str) -> Vec<u8> {
        sh(&format!("cd \"$1\"; export DOCKER_HOST=\"unix://$1/sock\"\n{script}"), [self.folder.path()])
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
        let unmount = "umount \"$1\"/exec/netns/* 2>&1";
        let _ = Command::new("sh").args(["-c", unmount, "sh"]).arg(self.folder.path()).output();
    }
}
