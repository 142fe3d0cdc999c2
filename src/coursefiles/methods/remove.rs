//! Removes the methods that a file ends, with their enrolments and all that belongs to them, as Moodle does.
//! It must not run before the rules of the methods that the same file adds.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::context::{Position, RunContext};
use crate::change::{end, kinds};
use crate::coursefiles::methods::decide::Plan;
use crate::coursefiles::methods::facts::Facts;
use crate::db::table::{int, text};
use crate::db::{Bulk, Field, Table, statement};
use crate::outcome::{Note, RunResult};
use crate::problem::shown;
use crate::reconcile;

/// The instances that are removed.
const GONE_METHOD: Table =
    Table::new("gone_method", &[int("enrolid"), int("line"), int("courseid"), int("contextid"), text("method", 20)])
        .primary("enrolid");

const ENDING: &str = statement(include_str!("methods.sql"), "ending enrolments");
const LOST: &str = statement(include_str!("methods.sql"), "lost places");

/// The most methods that a note names.
const NAMED: usize = 50;

/// The methods that a file ends.
pub struct Gone(Vec<One>);

struct One {
    id: i64,
    line: u64,
    course: i64,
    contextid: i64,
    method: String,
    /// As a note names it.
    shown: String,
}

impl Gone {
    /// Those of a plan.
    pub(super) fn of(facts: &Facts, plan: Plan) -> Self {
        let mut gone = Vec::new();
        for (key, slot) in plan.slots.into_iter().filter(|(_, slot)| slot.is.is_none()) {
            let Some(course) = facts.courses.get(&key.course) else { continue };
            let (line, contextid) = (slot.line, course.contextid);
            let shown = format!("{} {}", shown(&course.shortname), key.method);
            gone.extend(slot.was.into_iter().map(|was| One {
                id: was.id,
                line,
                course: key.course,
                contextid,
                method: key.method.clone(),
                shown: shown.clone(),
            }));
        }
        Self(gone)
    }

    /// Removes them, and notes how many people lose their place by each.
    ///
    /// # Errors
    /// The database's error, or a limit of the guard.
    pub async fn apply(self, ctx: &mut RunContext<'_>) -> RunResult<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.load(ctx).await?;
        end::prepare(ctx);
        let params = ctx.params();
        ctx.conn.exec("DELETE FROM [to_remove]", &params).await?;
        if ctx.conn.exec(ENDING, &params).await? > 0 {
            let pass_no = ctx.next_pass();
            let outcome = end::unenrol(ctx, pass_no).await;
            // Also if that is too many: whoever decides must know.
            self.note(ctx, pass_no).await?;
            if outcome? > 0 {
                end::purge(ctx, pass_no).await?;
            }
        } else {
            self.tell(ctx, &BTreeMap::new());
        }
        let methods: BTreeSet<&str> = self.0.iter().map(|one| one.method.as_str()).collect();
        for method in methods {
            let gone =
                "SELECT g.enrolid, g.courseid, g.contextid, g.line FROM [gone_method] g WHERE g.method = :method";
            let params = ctx.params().with("method", method).with("component", format!("enrol_{method}"));
            let pass_no = ctx.next_pass();
            reconcile::remove_instances(ctx, pass_no, gone, params).await?;
        }
        Ok(())
    }

    async fn load(&self, ctx: &mut RunContext<'_>) -> RunResult<()> {
        ctx.conn.declare(&GONE_METHOD);
        let mut rows = Bulk::into(ctx.conn.dialect(), &GONE_METHOD);
        for one in &self.0 {
            let row = [
                Field::Int(one.id),
                Field::Int(one.line as i64),
                Field::Int(one.course),
                Field::Int(one.contextid),
                Field::Text(&one.method),
            ];
            rows.push(ctx.conn, &row).await?;
        }
        rows.finish(ctx.conn).await?;
        Ok(ctx.conn.analyse(GONE_METHOD.name).await?)
    }

    /// Counts the enrolments that end, and those among them that are the last of somebody in the course.
    async fn note(&self, ctx: &mut RunContext<'_>, pass_no: i64) -> RunResult<()> {
        let params = ctx.at(Position { pass_no, rank: kinds::UNENROL });
        let rows = ctx.conn.rows(LOST, &params).await?;
        let lost: BTreeMap<i64, (i64, i64)> = rows.iter().map(|row| (row.int(0), (row.int(1), row.int(2)))).collect();
        self.tell(ctx, &lost);
        Ok(())
    }

    fn tell(&self, ctx: &mut RunContext<'_>, lost: &BTreeMap<i64, (i64, i64)>) {
        let of = |one: &One| lost.get(&one.id).copied().unwrap_or_default();
        let named = self.0.iter().take(NAMED).map(|one| format!("{} ({})", one.shown, of(one).1));
        let mut list = named.collect::<Vec<_>>().join(", ");
        if self.0.len() > NAMED {
            list.push_str(", …");
        }
        ctx.notes.push(Note::MethodsRemoved {
            methods: self.0.len() as u64,
            enrolments: lost.values().map(|(all, _)| all).sum(),
            places: lost.values().map(|(_, last)| last).sum(),
            list,
        });
    }
}
