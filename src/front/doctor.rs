//! Can it work here: the site, the account and enrold's own places examined.
//! It must not find anything out itself.

use crate::config::Loaded;
use crate::doctor::{self, Finding};
use crate::front::{Front, Who};

/// What was found.
pub struct Examined {
    /// Each finding with what to do, in the order in which an operator would put things right.
    pub findings: Vec<Finding>,
    /// Whether nothing keeps enrold from working.
    pub can_work: bool,
}

impl Front {
    /// Examines everything; `loaded` is the configuration with where each setting comes from.
    pub async fn doctor(&self, who: &Who, loaded: &Loaded) -> Examined {
        who.asks("doctor");
        let (database, settings) = (&self.engine.database, &self.engine.settings);
        let mut findings = doctor::run(database, settings, self.engine.clock.now()).await;
        findings.extend(doctor::open_files(database, loaded));
        Examined { can_work: doctor::can_work(&findings), findings }
    }
}
