//! Runs the examination of the site, the account and enrold's own directories.
//! It must not examine anything itself.

use std::path::PathBuf;

use crate::config::Loaded;
use crate::doctor::{self, Finding};
use crate::front::{Front, Who};

/// The result of an examination.
pub struct Examined {
    /// Each finding with what to do, in the order in which an operator would fix them.
    pub findings: Vec<Finding>,
    /// True if nothing prevents enrold from working.
    pub can_work: bool,
}

impl Front {
    /// Examines everything; `loaded` is the configuration with the origin of each setting, `files` are those that
    /// `--config` names.
    pub async fn doctor(&self, who: &Who, loaded: &Loaded, files: &[PathBuf]) -> Examined {
        who.asks("doctor");
        let (database, settings) = (&self.engine.database, &self.engine.settings);
        let mut findings: Vec<Finding> = doctor::service(files).into_iter().collect();
        findings.extend(doctor::run(database, settings, self.engine.clock.now()).await);
        findings.extend(doctor::feeders(settings, files));
        findings.extend(doctor::open_files(database, loaded));
        Examined { can_work: doctor::can_work(&findings), findings }
    }
}
