//! Lists what each enrolment method allows other sources to do with its enrolments (spec enrol-core 2).
//! It must not know instances or users: only the fixed policy of a method's code.

/// The method of flat files.
pub const FLATFILE: &str = "flatfile";
/// The component that owns the roles of flat-file enrolments.
pub const FLATFILE_COMPONENT: &str = "enrol_flatfile";
/// Moodle's own task for flat files.
pub const FLATFILE_TWIN: &str = r"\enrol_flatfile\task\flatfile_sync_task";
/// The method that enrols the members of a cohort.
pub const COHORT: &str = "cohort";
/// The method that enrols the participants of another course.
pub const META: &str = "meta";
/// The method of enrolments by hand, and of users files.
pub const MANUAL: &str = "manual";
/// The method of all full sets of enrolments.
pub const DATABASE: &str = "database";

/// The policy of one enrolment method towards a sync that is not its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// The short name in `enrol.enrol`.
    pub name: &'static str,
    /// Roles have the method's component and instance, and other sources may not change them.
    pub roles_protected: bool,
    /// Which enrolments another source may end.
    pub unenrol: Unenrol,
    /// Another source may suspend its enrolments.
    pub manage: bool,
}

/// Which enrolments of a method another source may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unenrol {
    /// All of them.
    Any,
    /// Only suspended ones.
    Suspended,
}

/// The methods whose enrolments a `del` line may reach, `flatfile` itself aside. Other methods (category, autoenrol,
/// coursecompleted, anything unknown) are never changed: their code does not allow it.
pub const REACHABLE: [Method; 6] = [
    Method { name: "manual", roles_protected: false, unenrol: Unenrol::Any, manage: true },
    Method { name: "self", roles_protected: false, unenrol: Unenrol::Any, manage: true },
    Method { name: "paypal", roles_protected: false, unenrol: Unenrol::Any, manage: true },
    Method { name: "database", roles_protected: true, unenrol: Unenrol::Suspended, manage: false },
    Method { name: "cohort", roles_protected: true, unenrol: Unenrol::Suspended, manage: false },
    Method { name: "meta", roles_protected: true, unenrol: Unenrol::Suspended, manage: false },
];

/// The methods whose enrolments an administrator may end, as Moodle's cron does for a completed course: those of
/// [`REACHABLE`], the flat file's, and coursecompleted's own, whose code requires a capability that cron has (spec
/// coursecompleted 6).
pub fn by_administrator() -> impl Iterator<Item = (&'static str, Unenrol)> {
    let own = ["flatfile", "coursecompleted"].into_iter().map(|name| (name, Unenrol::Any));
    REACHABLE.iter().map(|method| (method.name, method.unenrol)).chain(own)
}
