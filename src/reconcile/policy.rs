//! What a rule may do to existing rows, as data: reconciliation reads it instead of branching by method. It must not
//! depend on where a setting comes from.

use crate::db::Params;
use crate::moodle::site::RemovalAction;

/// What a rule may change, under the settings of one run.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What happens to enrolments in its instances that its set does not hold.
    pub on_extra: RemovalAction,
    /// What happens to the status of an enrolment that its set holds.
    pub status: Follow,
    /// Whether the dates of an existing enrolment follow the set.
    pub dates: bool,
    /// Whether the rule creates and removes instances.
    pub instances: Instances,
    /// Which instances of the method are the rule's, as a condition on `e`; its parameters are among `params`.
    pub own_instance: String,
    /// The `enrol.customchar1` of an instance that it creates; empty for none.
    pub instance_mark: String,
    /// The owner of the roles that it assigns.
    pub roles: Owner,
    /// The owner of the group memberships that it adds.
    pub groups: Owner,
    /// Whether newly enrolled users join groups before they get roles: the order of the method's events in Moodle.
    pub newcomers_join_first: bool,
    /// Whether the set of enrolments is stored in a table once: for sets that cost more to compute than to write.
    pub staged: bool,
    /// Whether its changes in one course are independent of those in others: then a very large run may do one course
    /// after the other.
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

/// Whether a rule creates and removes instances of its method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instances {
    /// They are created in Moodle.
    AsTheyAre,
    /// The section `instances` says which courses have one; it stays when its course is no longer named.
    Created,
    /// The section `instances` says which courses have one.
    CreatedAndDeleted,
}

/// The owner of a role or a group membership (spec enrol-core 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The instance: component `enrol_METHOD`, item the instance. Nothing else may remove it.
    Instance,
    /// None: no component, item 0, as if a teacher had added it.
    Nobody,
}

impl Policy {
    /// The most common policy: instances are created in Moodle, what is added is owned by its instance, a desired
    /// enrolment becomes active again, dates are left alone.
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
