//! `enrold doctor`: shows whether enrold can work here, each finding with what to do; fails if it cannot.
//! It must not examine anything itself.

use serde_json::json;

use crate::cli::{Exit, Setting, operator, output};
use crate::doctor::Level;
use crate::front::Examined;
use crate::outcome::Observer;

pub(super) async fn run(setting: &Setting) -> anyhow::Result<Exit> {
    let front = setting.front_observed(Observer::none())?;
    let Examined { findings, can_work } = front.doctor(&operator(), &setting.loaded).await;
    if setting.json {
        output::json(&json!({ "can_work": can_work, "findings": findings }));
    } else {
        for finding in findings.iter().filter(|finding| !setting.quiet || finding.level > Level::Ok) {
            let mark = match finding.level {
                Level::Ok => "ok",
                Level::Warning => "WARNING",
                Level::Error => "ERROR",
            };
            output::lines(&format!("{mark:<8} {:<22} {}", finding.code, finding.text(setting.locale())));
        }
    }
    Ok(if can_work { Exit::Done } else { Exit::Failed })
}
