//! The users whom each rule admits, and the new ones: the tables `ruled`, `matching`, `leaving` and `newcomer`.
//! It must not handle roles or groups.

use std::collections::BTreeMap;

use crate::change::context::RunContext;
use crate::db::table::{int, small};
use crate::db::{Bulk, DbError, Field, Table};
use crate::outcome::RunResult;
use crate::problem::{Code, PlaceKind, Problem, Rows};
use crate::reconcile::Pass;
use crate::rules::autoenrol::instance::{self, Instance};
use crate::rules::availability::{Facts, Predicate, Tree, read};

/// The users whom each evaluation admits.
const MATCHING: Table = Table::new("matching", &[int("evaluation"), int("userid")]).joined_by(&["evaluation, userid"]);
/// For each user, one bit per rule, for rules that are evaluated together.
const ANSWER: Table = Table::new("answer", &[int("userid"), int("bits")]).joined_by(&["userid"]);
/// Enrolments that this pass ends.
const LEAVING: Table = Table::new("leaving", &[int("ueid"), int("enrolid")]).joined_by(&["ueid"]);
/// Users who match and are not enrolled.
const FITTING: Table = Table::new("fitting", &[int("enrolid"), int("userid")]).joined_by(&["enrolid, userid"]);
/// Users who have an enrolment in the course that stays.
const ELSEWHERE: Table = Table::new("elsewhere", &[int("courseid"), int("userid")]).joined_by(&["courseid, userid"]);
/// The matching users who are admitted.
const NEWCOMER: Table =
    Table::new("newcomer", &[int("enrolid"), int("userid"), int("courseid")]).primary("enrolid, userid");

/// An instance: the evaluation of its rule, how many users it may admit (`room`), and when (`round` 0: not now).
const RULED: Table = Table::new(
    "ruled",
    &[
        int("enrolid"),
        int("courseid"),
        int("contextid"),
        int("evaluation"),
        int("round"),
        small("always"),
        int("most"),
        int("room"),
    ],
)
.primary("enrolid");
/// A rule, for one course if it depends on the course; `bit` is its bit in `answer`, 0 if it is evaluated alone.
const EVALUATION: Table =
    Table::new("evaluation", &[int("evaluation"), int("rule"), int("courseid"), int("contextid"), int("bit")])
        .primary("evaluation");
/// The most rules, and bytes of their SQL, that are evaluated in one scan of the users.
const TOGETHER: usize = 40;
const TOGETHER_BYTES: usize = 50_000;

/// The distinct rules of the instances, with their evaluations.
#[derive(Default)]
struct Rules {
    /// By text: the number of the rule, or why it cannot be used.
    by_text: BTreeMap<String, Result<usize, String>>,
    /// By tree: texts that differ only in what they show are one rule.
    by_tree: BTreeMap<Option<Tree>, Result<usize, String>>,
    predicates: Vec<Predicate>,
    /// By rule and course (0 where the course does not matter): number and context.
    evaluations: BTreeMap<(usize, i64), (i64, i64)>,
}

/// Reads the instances and finds the users whom their rules admit. An instance whose rule cannot be used is reported
/// and left out of everything: it enrols and removes no users.
///
/// # Errors
/// The database's error.
pub async fn find(ctx: &mut RunContext<'_>, pass: &Pass<'_>) -> RunResult<(Vec<Instance>, Facts)> {
    let facts = Facts::read(ctx.conn, ctx.site).await?;
    let mut instances = instance::read(ctx, pass).await?;
    let mut rules = Rules::default();
    let mut refused = Vec::new();
    let mut evaluation_of = BTreeMap::new();
    instances.retain(|instance| match rules.evaluation(ctx, &facts, instance) {
        Ok(number) => evaluation_of.insert(instance.id, number).is_none(),
        Err(reason) => {
            refused.push((instance.clone(), reason));
            false
        }
    });
    report_refused(ctx, pass, Code::RuleUnusable, &refused).await?;
    let batches = rules.batches();
    write(ctx, &instances, &evaluation_of, &rules, &batches).await?;
    for batch in &batches {
        ask_together(ctx, pass, &rules, batch).await?;
    }
    for (number, predicate) in (0i64..).zip(&rules.predicates).filter(|(_, predicate)| predicate.by_course) {
        let params = predicate.bind(pass.params(ctx).with("number", number));
        let sql = "INSERT INTO [matching]
            SELECT v.evaluation, u.id FROM [evaluation] v, {user} u
             WHERE v.rule = :number AND u.deleted = 0 AND u.id NOT IN (:left_alone) AND u.id :among_users AND :rule";
        ctx.conn.exec(sql, &params).await?;
    }
    ctx.conn.analyse(MATCHING.name).await?;
    Ok((instances, facts))
}

/// Evaluates rules that do not depend on the course in one scan of all users: each has a bit in `answer`.
async fn ask_together(
    ctx: &mut RunContext<'_>,
    pass: &Pass<'_>,
    rules: &Rules,
    batch: &[usize],
) -> Result<(), DbError> {
    let mut params = pass.params(ctx).with("first", batch[0] as i64).with("last", batch[batch.len() - 1] as i64);
    let mut bits = Vec::new();
    for (at, number) in batch.iter().enumerate() {
        let (sql, with) = rules.predicates[*number].beside_others(*number, params);
        params = with;
        bits.push(format!("CASE WHEN {sql} THEN {} ELSE 0 END", 1i64 << at));
    }
    let params = params.fragment("bits", bits.join(" + "));
    ctx.conn.exec("DELETE FROM [answer]", &params).await?;
    let asked = "INSERT INTO [answer]
        SELECT u.id, :bits FROM {user} u WHERE u.deleted = 0 AND u.id NOT IN (:left_alone) AND u.id :among_users";
    ctx.conn.exec(asked, &params).await?;
    ctx.conn.analyse(ANSWER.name).await?;
    let matching = "INSERT INTO [matching]
        SELECT v.evaluation, a.userid FROM [answer] a
          JOIN [evaluation] v ON v.bit > 0 AND v.rule >= :first AND v.rule <= :last AND (a.bits & v.bit) <> 0";
    ctx.conn.exec(matching, &params).await.map(|_| ())
}

impl Rules {
    /// The number of the evaluation that an instance uses.
    fn evaluation(&mut self, ctx: &RunContext<'_>, facts: &Facts, instance: &Instance) -> Result<i64, String> {
        let rule = match self.by_text.get(&instance.rule) {
            Some(known) => known.clone(),
            None => {
                let found = self.rule(ctx, facts, &instance.rule);
                self.by_text.insert(instance.rule.clone(), found.clone());
                found
            }
        }?;
        let course = if self.predicates[rule].by_course { (instance.courseid, instance.contextid) } else { (0, 0) };
        let next = 1 + self.evaluations.len() as i64;
        Ok(self.evaluations.entry((rule, course.0)).or_insert((next, course.1)).0)
    }

    /// The rules that do not depend on the course, in batches that are evaluated together.
    fn batches(&self) -> Vec<Vec<usize>> {
        let mut batches: Vec<Vec<usize>> = Vec::new();
        let mut bytes = 0;
        for (number, predicate) in self.predicates.iter().enumerate().filter(|(_, predicate)| !predicate.by_course) {
            bytes += predicate.size();
            match batches.last_mut().filter(|batch| batch.len() < TOGETHER && bytes <= TOGETHER_BYTES) {
                Some(batch) => batch.push(number),
                None => {
                    bytes = predicate.size();
                    batches.push(vec![number]);
                }
            }
        }
        batches
    }

    fn rule(&mut self, ctx: &RunContext<'_>, facts: &Facts, text: &str) -> Result<usize, String> {
        let tree = read(text).map_err(|refused| refused.to_string())?;
        if let Some(known) = self.by_tree.get(&tree) {
            return known.clone();
        }
        let found = Predicate::of(tree.as_ref(), facts, ctx.conn.dialect(), ctx.now);
        let found = found.map_err(|refused| refused.to_string()).map(|predicate| {
            self.predicates.push(predicate);
            self.predicates.len() - 1
        });
        self.by_tree.insert(tree, found.clone());
        found
    }
}

async fn write(
    ctx: &mut RunContext<'_>,
    instances: &[Instance],
    evaluation_of: &BTreeMap<i64, i64>,
    rules: &Rules,
    batches: &[Vec<usize>],
) -> Result<(), DbError> {
    let conn = &mut *ctx.conn;
    conn.declare(&RULED);
    conn.declare(&EVALUATION);
    conn.declare(&MATCHING);
    conn.declare(&ANSWER);
    let mut bulk = Bulk::into(conn.dialect(), &RULED);
    for instance in instances {
        let row = [
            instance.id,
            instance.courseid,
            instance.contextid,
            evaluation_of[&instance.id],
            round(instances, instance),
            i64::from(instance.always),
            instance.most,
            i64::MAX,
        ];
        bulk.push(conn, &row.map(Field::Int)).await?;
    }
    bulk.finish(conn).await?;
    let bit = |rule: &usize| {
        let place = batches.iter().find_map(|batch| batch.iter().position(|number| number == rule));
        place.map_or(0, |place| 1i64 << place)
    };
    let mut bulk = Bulk::into(conn.dialect(), &EVALUATION);
    for ((rule, courseid), (number, contextid)) in &rules.evaluations {
        bulk.push(conn, &[*number, *rule as i64, *courseid, *contextid, bit(rule)].map(Field::Int)).await?;
    }
    bulk.finish(conn).await?;
    conn.analyse(RULED.name).await?;
    conn.analyse(EVALUATION.name).await
}

/// Open instances of one course admit users one after the other, by id: a user whom one admits is not admitted by a
/// later one that takes only users who are not enrolled yet.
fn round(instances: &[Instance], instance: &Instance) -> i64 {
    let before = |other: &&Instance| other.open && other.courseid == instance.courseid && other.id <= instance.id;
    if instance.open { instances.iter().filter(before).count() as i64 } else { 0 }
}

/// Finds the newcomers: users who match, have no enrolment in the instance, may be admitted (spec autoenrol 4) and for
/// whom there is room, in the order of user ids. Enrolments that end in this pass do not count.
///
/// # Errors
/// The database's error.
pub async fn admit(ctx: &mut RunContext<'_>, pass: &Pass<'_>, instances: &[Instance]) -> RunResult<()> {
    let params = pass.params(ctx);
    let conn = &mut *ctx.conn;
    conn.declare(&LEAVING);
    conn.declare(&FITTING);
    conn.declare(&ELSEWHERE);
    conn.declare(&NEWCOMER);
    let section = |name: &str| pass.section(name).unwrap_or_default();
    for name in ["fitting", "leaving", "elsewhere"] {
        let params = params.clone().fragment("select", section(name));
        let filled = conn.exec(&format!("INSERT INTO [{name}] :select"), &params).await?;
        if name == "fitting" && filled == 0 {
            return Ok(());
        }
    }
    for filled in [LEAVING, FITTING, ELSEWHERE] {
        conn.analyse(filled.name).await?;
    }
    conn.exec(
        "UPDATE [ruled] SET room = most - (SELECT COUNT(*) FROM {user_enrolments} x WHERE x.enrolid = ruled.enrolid)
            + (SELECT COUNT(*) FROM [leaving] l WHERE l.enrolid = ruled.enrolid) WHERE most > 0",
        &params,
    )
    .await?;
    let newcomers = section("newcomers");
    let last = instances.iter().map(|instance| round(instances, instance)).max().unwrap_or(0);
    for round in 1..=last {
        let params = params.clone().with("round", round).fragment("newcomers", newcomers);
        conn.exec("INSERT INTO [newcomer] :newcomers", &params).await?;
        conn.analyse(NEWCOMER.name).await?;
    }
    Ok(())
}

/// Reports what is wrong with instances, one problem each; a pass that follows other changes does not report again.
///
/// # Errors
/// The database's error.
pub async fn report_refused(
    ctx: &mut RunContext<'_>,
    pass: &Pass<'_>,
    code: Code,
    wrong: &[(Instance, String)],
) -> Result<(), DbError> {
    if pass.filter.users {
        return Ok(());
    }
    let mut rows = Rows::new(ctx.conn.dialect());
    for (instance, reason) in wrong {
        let problem = Problem::new(0, code, &instance.course, reason);
        rows.add(ctx.conn, &mut ctx.problems, (PlaceKind::Instance, instance.id), &problem).await?;
    }
    rows.finish(ctx.conn).await
}
