//! What a rule may do to the rows that are there, as data: the engine reads it and knows no method.
//! It must not know where a setting comes from.

use crate::db::Params;
use crate::moodle::site::RemovalAction;

/// What a rule may change, under the settings of one run.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What happens to enrolments in its instances that its set does not hold.
    pub on_extra: RemovalAction,
    /// What happens to the status of an enrolment that its set holds.
    pub status: Follow,
    /// Whether the window of an enrolment that is there follows the set.
    pub dates: bool,
    /// Whether the rule makes and removes instances.
    pub instances: Instances,
    /// Which instances of the method are the rule's, as a condition on `e`; its parameters are among `params`.
    pub own_instance: String,
    /// What `enrol.customchar1` of an instance that it makes holds; empty for nothing.
    pub instance_mark: String,
    /// Whose the roles are that it gives.
    pub roles: Owner,
    /// Whose the group memberships are that it gives.
    pub groups: Owner,
    /// Whether who is newly enrolled joins a group before getting roles: the order of the method's events in Moodle.
    pub newcomers_join_first: bool,
    /// Whether the set of enrolments is computed once into a table: for sets that cost more than writing them down.
    pub staged: bool,
    /// Whether what it does in one course does not look at what it does in others: then a very large run may do one
    /// course after the other.
    pub by_course: bool,
    /// The rule's own parameters of its SQL.
    pub params: Params,
}

/// What happens to the status of an enrolment that a set holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// It is left as it is.
    Never,
    /// A suspended one becomes active where the set says active; an active one is not suspended.
    Reactivate,
    /// It becomes what the set says.
    Always,
}

/// Whether a rule makes and removes instances of its method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instances {
    /// People make them, in Moodle.
    AsTheyAre,
    /// The section `instances` says which courses have one; it stays when they are no longer named.
    Created,
    /// The section `instances` says which courses have one.
    CreatedAndDeleted,
}

/// Whose a role or a group membership is (spec enrol-core 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The instance's: component `enrol_METHOD`, item the instance. Nobody else may take it away.
    Instance,
    /// Nobody's: no component, item 0, as if a teacher had given it.
    Nobody,
}

impl Policy {
    /// The most common policy: instances are people's, what is given is owned, an enrolment that is desired becomes
    /// active again, windows are left alone.
    pub fn new(on_extra: RemovalAction) -> Self {
        Self {
            on_extra,
            status: Follow::Reactivate,
            dates: false,
            instances: Instances::AsTheyAre,
            own_instance: "1 = 1".to_owned(),
            instance_mark: String::new(),
            roles: Owner::Instance,
            groups: Owner::Instance,
            newcomers_join_first: false,
            staged: false,
            by_course: true,
            params: Params::new(),
        }
    }
}
