//! `enrold doctor`: can it work here? Each finding with what to do; fails if it cannot.
//! It must not find anything out itself.

use serde_json::json;

use crate::cli::{Exit, Setting, output};
use crate::doctor::{self, Level};

pub(super) async fn run(setting: &Setting) -> anyhow::Result<Exit> {
    let database = setting.database()?;
    let mut findings = doctor::run(&database, &setting.settings, setting.clock.now()).await;
    findings.extend(doctor::open_files(&database, &setting.loaded));
    let works = doctor::can_work(&findings);
    if setting.json {
        output::json(&json!({ "can_work": works, "findings": findings }));
    } else {
        for finding in findings.iter().filter(|finding| !setting.quiet || finding.level > Level::Ok) {
            let mark = match finding.level {
                Level::Ok => "ok",
                Level::Warning => "WARNING",
                Level::Error => "ERROR",
            };
            output::line(&format!("{mark:<8} {:<22} {}", finding.code, finding.text(setting.locale())));
        }
    }
    Ok(if works { Exit::Done } else { Exit::Failed })
}
