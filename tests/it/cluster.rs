//! A Galera cluster on this machine: MariaDB servers that replicate rows but not named locks.
//! It must not know what a test does with it.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

/// A cluster that runs until this value is dropped.
pub struct Cluster {
    script: Child,
    stays: Option<ChildStdin>,
    nodes: Vec<String>,
}

impl Cluster {
    /// Starts the given number of nodes and waits until they form a cluster.
    pub fn start(nodes: usize) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/galera");
        let mut command = Command::new(script);
        command.arg(nodes.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = command.spawn().unwrap();
        let stays = script.stdin.take();
        let lines = BufReader::new(script.stdout.take().unwrap()).lines();
        Self { script, stays, nodes: lines.take(nodes).map(Result::unwrap).collect() }
    }

    /// The URL of a database on a node, from 0.
    pub fn url(&self, node: usize, database: &str) -> String {
        format!("{}{database}", self.nodes.get(node).expect("tests/galera says why it did not start"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The script ends when its standard input is closed.
        drop(self.stays.take());
        drop(self.script.wait());
    }
}
