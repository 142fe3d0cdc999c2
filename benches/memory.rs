//! The peak memory of a child process.
//! It must not know what the child does.

use std::process::{Command, Stdio};

use crate::site::Outcome;

/// Polls the kernel's high-water mark of a child until it ends.
pub fn peak_kib(command: &mut Command) -> Outcome<u64> {
    let mut child = command.stdout(Stdio::null()).spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        if let Ok(text) = std::fs::read_to_string(&status) {
            let mark = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            peak = mark.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(peak);
        }
        if let Some(exit) = child.try_wait()? {
            assert!(exit.success(), "{command:?} failed: {exit}");
            return Ok(peak);
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
