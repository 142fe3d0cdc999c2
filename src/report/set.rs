//! The report of a full set: a table of its courses or cohorts, consequences and trend; and the table as CSV.
//! It must not know how the figures were counted, or where they are shown.

use crate::config::Locale;
use crate::outcome::{Breach, Figures, PlaceKind, Point, RoleValue, SetPlace, SetReport, median};
use crate::report::columns;
use crate::report::words::pick;
use crate::report::{inert, visible};

/// The most places in the table; the rest is counted.
const SHOWN: usize = 50;

/// The most role values in the text; the rest is counted.
const ROLES: usize = 20;

/// The most places of those who are kept in the text; the rest is counted.
const KEPT: usize = 20;

/// The number of columns after the name.
const NUMBERS: usize = 7;

/// The columns of the CSV.
const HEADER: &str = "kind,name,added,reactivated,changed,suspended,removed,unchanged,unknown,kept";

fn numbers(figures: &Figures) -> [i64; NUMBERS] {
    let Figures { added, reactivated, changed, suspended, removed, unchanged, unknown, .. } = *figures;
    [added, reactivated, changed, suspended, removed, unchanged, unknown]
}

/// The lines of the report: the set, the places with changes or unknown rows, the totals, unknown roles, the
/// consequences, the trend.
pub fn lines(set: &SetReport, locale: Locale) -> Vec<String> {
    fitted_lines(set, locale, None)
}

/// [`lines`] with a table that fits `width`, if there is one.
pub fn fitted_lines(set: &SetReport, locale: Locale, width: Option<usize>) -> Vec<String> {
    let mut lines = vec![rows(set, locale)];
    if set.foreseen {
        lines.push(pick(
            locale,
            "held before anything was planned: what a comparison foresees, without consequences",
            "suspendue avant toute planification : ce que prévoit une comparaison, sans les conséquences",
        ));
    }
    lines.append(&mut table(set, locale, width));
    lines.extend(kept(set, locale));
    lines.extend(default_roles(set, locale));
    lines.extend(consequences(set, locale));
    lines.extend(trend(set, locale));
    lines
}

fn rows(set: &SetReport, locale: Locale) -> String {
    let SetReport { source, rows, unknown, .. } = set;
    let last = match (set.last_rows, locale) {
        (None, Locale::En) => "no earlier good set".to_owned(),
        (None, Locale::Fr) => "aucun lot valable auparavant".to_owned(),
        (Some(last), Locale::En) => format!("last good set: {last}"),
        (Some(last), Locale::Fr) => format!("dernier lot valable : {last}"),
    };
    match locale {
        Locale::En => format!("set of {source}: {rows} rows ({last}), {unknown} of them failed"),
        Locale::Fr => format!("lot de {source} : {rows} lignes ({last}), dont {unknown} en échec"),
    }
}

fn table(set: &SetReport, locale: Locale, width: Option<usize>) -> Vec<String> {
    let told: Vec<&SetPlace> =
        set.places.iter().filter(|place| place.figures.change() || place.figures.unknown > 0).collect();
    let heading = match set.places.first().map(|place| place.kind) {
        Some(PlaceKind::Cohort) => pick(locale, "cohort", "cohorte"),
        _ => pick(locale, "course", "cours"),
    };
    let mut rows: Vec<(String, [String; NUMBERS])> = vec![(heading, headings(locale))];
    rows.extend(told.iter().take(SHOWN).map(|place| (place.name.clone(), cells(&place.figures))));
    let together = (pick(locale, "all together", "au total"), cells(&set.totals));
    rows.push(together);
    let rows: Vec<columns::Row> = rows.into_iter().map(|(name, cells)| (name, Ok(cells.to_vec()))).collect();
    let mut lines = columns::lines(&rows, width);
    let more = told.len().saturating_sub(SHOWN);
    if more + set.more_places > 0 {
        lines.insert(lines.len() - 1, more_places(more, set.more_places, locale));
    }
    lines
}

/// The line that counts the changed places that are not shown, and those that the history does not keep.
fn more_places(changing: usize, forgotten: usize, locale: Locale) -> String {
    match (changing, forgotten, locale) {
        (more, 0, Locale::En) => format!("… and {more} more that change"),
        (more, 0, Locale::Fr) => format!("… et {more} de plus qui changent"),
        (more, gone, Locale::En) => format!("… and {more} more that change, {gone} that the history has not kept"),
        (more, gone, Locale::Fr) => {
            format!("… et {more} de plus qui changent, {gone} que l'historique n'a pas gardés")
        }
    }
}

fn cells(figures: &Figures) -> [String; NUMBERS] {
    numbers(figures).map(|number| if number == 0 { "-".to_owned() } else { number.to_string() })
}

fn headings(locale: Locale) -> [String; NUMBERS] {
    [
        ("added", "ajouts"),
        ("reactivated", "réactivés"),
        ("changed", "modifiés"),
        ("suspended", "suspendus"),
        ("removed", "retirés"),
        ("unchanged", "inchangés"),
        ("unknown", "inconnus"),
    ]
    .map(|(english, french)| pick(locale, english, french))
}

/// Those who are kept because of rows that failed, by place: most first, then by name.
fn kept(set: &SetReport, locale: Locale) -> Option<String> {
    let all = set.totals.kept;
    if all == 0 {
        return None;
    }
    let mut places: Vec<&SetPlace> = set.places.iter().filter(|place| place.figures.kept > 0).collect();
    places.sort_by_key(|place| -place.figures.kept);
    let shown = |place: &&SetPlace| format!("{} {}", place.name, place.figures.kept);
    let mut list: Vec<String> = places.iter().take(KEPT).map(shown).collect();
    let more = all - places.iter().take(KEPT).map(|place| place.figures.kept).sum::<i64>();
    if more > 0 {
        list.push(match locale {
            Locale::En => format!("{more} elsewhere"),
            Locale::Fr => format!("{more} ailleurs"),
        });
    }
    let list = list.join(", ");
    Some(match locale {
        Locale::En => format!("! kept because of unreadable rows (see the problems and their lines): {all} ({list})"),
        Locale::Fr => {
            format!("! maintenus à cause de lignes illisibles (voir les problèmes et leurs lignes) : {all} ({list})")
        }
    })
}

/// Unknown role values, with the number of their rows and the role that was given instead.
fn default_roles(set: &SetReport, locale: Locale) -> Option<String> {
    let role = &set.default_roles.first()?.role;
    let shown = |value: &RoleValue| {
        let text = visible(&value.value);
        match (locale, value.rows) {
            (Locale::En, 1) => format!("'{text}' (1 row)"),
            (Locale::En, rows) => format!("'{text}' ({rows} rows)"),
            (Locale::Fr, 1) => format!("« {text} » (1 ligne)"),
            (Locale::Fr, rows) => format!("« {text} » ({rows} lignes)"),
        }
    };
    let mut list: Vec<String> = set.default_roles.iter().take(ROLES).map(shown).collect();
    let beyond: u64 = set.default_roles.iter().skip(ROLES).map(|value| value.rows).sum();
    let more = beyond + set.more_default_roles;
    if more > 0 {
        list.push(match locale {
            Locale::En => format!("others ({more} rows)"),
            Locale::Fr => format!("d'autres ({more} lignes)"),
        });
    }
    let list = list.join(", ");
    Some(match locale {
        Locale::En => format!("! roles that the site does not know, {role} was given instead: {list}"),
        Locale::Fr => format!("! rôles inconnus du site, {role} a été donné à la place : {list}"),
    })
}

fn consequences(set: &SetReport, locale: Locale) -> Option<String> {
    if set.last_enrolments + set.grades == 0 {
        return None;
    }
    let (last, grades) = (set.last_enrolments, set.grades);
    Some(match locale {
        Locale::En => format!("last enrolments in a course lost: {last}; grades moved to history: {grades}"),
        Locale::Fr => {
            format!("dernières inscriptions à un cours perdues : {last} ; notes passées à l'historique : {grades}")
        }
    })
}

/// The rows and removals of this run, compared with the last run and with the median of the applied runs.
fn trend(set: &SetReport, locale: Locale) -> Option<String> {
    let last = set.trend.first()?;
    let good: Vec<&Point> = set.trend.iter().filter(|point| point.is_good()).collect();
    let usual = |number: fn(&Point) -> i64| {
        median(good.iter().map(|point| number(point)).collect()).map_or("-".to_owned(), |number| number.to_string())
    };
    let (rows, removed, unknown) =
        (usual(|point| point.rows), usual(|point| point.removed), usual(|point| point.failed));
    let runs = set.trend.len();
    let applied = good.len();
    Some(match locale {
        Locale::En => format!(
            "trend: rows {} (last run {}, usually {rows}); removed {} (last run {}, usually {removed}); failed {} \
             (last run {}, usually {unknown}); {applied} of the last {runs} runs applied",
            set.rows, last.rows, set.totals.removed, last.removed, set.unknown, last.failed
        ),
        Locale::Fr => format!(
            "tendance : lignes {} (dernière exécution {}, d'habitude {rows}) ; retirés {} (dernière exécution {}, \
             d'habitude {removed}) ; en échec {} (dernière exécution {}, d'habitude {unknown}) ; {applied} des \
             {runs} dernières \
             exécutions appliquées",
            set.rows, last.rows, set.totals.removed, last.removed, set.unknown, last.failed
        ),
    })
}

/// All places as CSV (RFC 4180, UTF-8, with a header), the lines ended by a line feed.
pub fn csv(set: &SetReport) -> String {
    let mut text = format!("{HEADER}\n");
    for place in &set.places {
        let kind = match place.kind {
            PlaceKind::Course => "course",
            PlaceKind::Cohort => "cohort",
            PlaceKind::Accounts => "accounts",
        };
        let numbers = numbers(&place.figures).map(|number| number.to_string()).join(",");
        let kept = place.figures.kept;
        text.push_str(&format!("{kind},{},{numbers},{kept}\n", quoted(&inert(&place.name))));
    }
    text
}

/// The role values for which the default role was given, as CSV.
pub fn roles_csv(set: &SetReport) -> String {
    let cell = |text: &str| quoted(&inert(text));
    let row = |value: &RoleValue| format!("{},{},{}\n", cell(&value.value), value.rows, cell(&value.role));
    let rows: String = set.default_roles.iter().map(row).collect();
    format!("value,rows,role\n{rows}")
}

pub(super) fn quoted(name: &str) -> String {
    if name.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.to_owned() }
}

/// The text of a passed limit on the set itself; `None` for a limit of another kind.
pub(super) fn breach(breach: &Breach, locale: Locale) -> Option<String> {
    let Breach { scope, name, what, count, of, limit } = breach;
    let text = match (scope.as_str(), what.as_str(), locale) {
        ("set", "empty", Locale::En) => format!("guard: the set of {name} is empty"),
        ("set", "empty", Locale::Fr) => format!("garde : le lot de {name} est vide"),
        ("set", "fewer-rows" | "more-rows", Locale::En) => {
            format!("guard: the set of {name} has {count} rows, the last good one had {of} (limit {limit})")
        }
        ("set", "fewer-rows" | "more-rows", Locale::Fr) => {
            format!("garde : le lot de {name} a {count} lignes, le dernier valable en avait {of} (seuil {limit})")
        }
        ("set", "unknown", Locale::En) => {
            format!("guard: {count} of the {of} rows of the set of {name} failed (limit {limit})")
        }
        ("set", "unknown", Locale::Fr) => {
            format!("garde : {count} des {of} lignes du lot de {name} sont en échec (seuil {limit})")
        }
        ("set", "courses", Locale::En) => {
            format!("guard: the set of {name} would make {count} courses (limit {limit})")
        }
        ("set", "courses", Locale::Fr) => format!("garde : le lot de {name} créerait {count} cours (seuil {limit})"),
        ("cohorts", _, Locale::En) => format!("guard: {count} of {of} cohorts would be removed (limit {limit})"),
        ("cohorts", _, Locale::Fr) => format!("garde : {count} cohortes sur {of} seraient supprimées (seuil {limit})"),
        ("groups", _, Locale::En) => {
            format!("guard: {count} groups and groupings would be removed, of {of} groups (limit {limit})")
        }
        ("groups", _, Locale::Fr) => {
            format!("garde : {count} groupes et groupements seraient supprimés, sur {of} groupes (seuil {limit})")
        }
        ("group-members", _, Locale::En) => {
            format!("guard: {count} members would leave groups, of {of} (limit {limit})")
        }
        ("group-members", _, Locale::Fr) => {
            format!("garde : {count} membres quitteraient des groupes, sur {of} (seuil {limit})")
        }
        ("bindings", _, Locale::En) => {
            format!("guard: {count} groups would be taken out of groupings, of {of} (limit {limit})")
        }
        ("bindings", _, Locale::Fr) => {
            format!("garde : {count} groupes seraient retirés de groupements, sur {of} (seuil {limit})")
        }
        ("disabled-methods", _, Locale::En) => {
            format!("guard: {count} participants would lose access as methods are disabled, of {of} (limit {limit})")
        }
        ("disabled-methods", _, Locale::Fr) => format!(
            "garde : {count} participants perdraient l'accès parce que des méthodes sont désactivées, sur {of} (seuil \
             {limit})"
        ),
        ("memberships", _, Locale::En) => {
            format!("guard: {count} members removed from cohorts, of {of} (limit {limit})")
        }
        ("memberships", _, Locale::Fr) => {
            format!("garde : {count} membres retirés de cohortes, sur {of} (seuil {limit})")
        }
        ("cohort", _, Locale::En) => format!("guard: cohort {name} would lose {count} of {of} members (limit {limit})"),
        ("cohort", _, Locale::Fr) => {
            format!("garde : la cohorte {name} perdrait {count} de ses {of} membres (seuil {limit})")
        }
        _ => return None,
    };
    Some(text)
}

#[cfg(test)]
mod tests;
