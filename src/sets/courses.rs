//! Loads a snapshot of courses into the temporary table `new_course` and reports the other rows, in constant memory.
//! It must not query the site: which rows become courses is decided afterwards, for all at once.

use std::collections::HashSet;
use std::io::BufReader;

use chrono_tz::Tz;

use crate::change::context::RunContext;
use crate::change::courses::{self, NewCourses};
use crate::config::{CategoryKey, CourseTable, SmallTimes};
use crate::db::table::int;
use crate::db::{Bulk, DbError, Field, Table};
use crate::disk::RegularFile;
use crate::files::NAME_LIMIT;
use crate::files::times::{self, Bound};
use crate::moodle::php_json;
use crate::moodle::room::Room;
use crate::moodle::site::Site;
use crate::outcome::{Lines, RunError, RunResult};
use crate::problem::{Code, PlaceKind, Problem, Rows, shown};
use crate::sets::stage::trimmed;
use crate::staging::likeness::NewNames;
use crate::staging::resolve::KEY_WIDTH;

/// Rows of courses that are not made because their name is doubtful.
const SET_DOUBTFUL: Table = Table::new("set_doubtful", &[int("line")]).primary("line");
/// Characters of a wrong value that are reported.
const SHOWN: usize = 40;

/// The room of the site's columns.
struct Rooms {
    fullname: Room,
    shortname: Room,
    idnumber: Room,
}

impl Rooms {
    fn of(site: &Site) -> Self {
        let of = |column: &str, most: usize| Room::of(site, "course", column, most);
        Self {
            fullname: of("fullname", NAME_LIMIT),
            shortname: of("shortname", KEY_WIDTH),
            idnumber: of("idnumber", KEY_WIDTH),
        }
    }
}

/// The terms of a source whose settings are complete; `zone` decides when today begins.
pub fn terms(courses: &CourseTable, zone: Tz) -> NewCourses {
    NewCourses {
        default_category: i64::from(courses.default_category),
        category_by_idnumber: courses.category_key == CategoryKey::Idnumber,
        template: courses.template.trim().to_owned(),
        zone,
    }
}

/// The positions of a snapshot's columns.
struct Header {
    fullname: usize,
    shortname: usize,
    idnumber: Option<usize>,
    category: Option<usize>,
    startdate: Option<usize>,
    enddate: Option<usize>,
}

impl Header {
    fn of(record: &csv::StringRecord, path: &str) -> RunResult<Self> {
        let at = |name: &str| record.iter().position(|column| column == name);
        let missing = |name: &str| {
            let found = record.iter().collect::<Vec<_>>().join(", ");
            RunError::Rejected(Problem::new(1, Code::ColumnMissing, format!("{name} ({path})"), found))
        };
        Ok(Self {
            fullname: at("fullname").ok_or_else(|| missing("fullname"))?,
            shortname: at("shortname").ok_or_else(|| missing("shortname"))?,
            idnumber: at("idnumber"),
            category: at("category"),
            startdate: at("startdate"),
            enddate: at("enddate"),
        })
    }
}

/// Loads a snapshot of courses (`fullname,shortname,idnumber,category,startdate,enddate`; all but the first two may be
/// missing) from its beginning. Dates without a time are the first moment of their day in the zone.
///
/// # Errors
/// A snapshot that is no CSV or lacks a column, or the database's error.
pub async fn load(
    ctx: &mut RunContext<'_>,
    file: &RegularFile,
    path: &str,
    zone: Tz,
    small: SmallTimes,
) -> RunResult<Lines> {
    let unreadable = |error: std::io::Error| RunError::Unreadable { path: path.to_owned(), error };
    let broken = |error: csv::Error| unreadable(std::io::Error::other(error));
    let mut reader = csv::ReaderBuilder::new().from_reader(BufReader::new(file.cursor()));
    let header = Header::of(reader.headers().map_err(broken)?, path)?;
    courses::stage(ctx);
    let dialect = ctx.conn.dialect();
    let mut rows = Bulk::into(dialect, &courses::NEW_COURSE);
    let mut errors = Rows::new(dialect);
    let rooms = Rooms::of(ctx.site);
    let mut record = csv::StringRecord::new();
    let mut lines = Lines { physical: 1, ..Lines::default() };
    while reader.read_record(&mut record).map_err(broken)? {
        lines.physical += 1;
        lines.records += 1;
        let line = record.position().map_or(lines.physical, csv::Position::line) as i64;
        match CourseRow::of(&header, &rooms, &record) {
            Ok(row) => row.push(ctx, &mut rows, line, zone, small).await?,
            Err((code, value, hint)) => {
                lines.failed += 1;
                let problem = Problem::new(0, code, value, hint);
                errors.add(ctx.conn, &mut ctx.problems, (PlaceKind::Course, line), &problem).await?;
            }
        }
    }
    rows.finish(ctx.conn).await?;
    errors.finish(ctx.conn).await?;
    ctx.conn.analyse(courses::NEW_COURSE.name).await?;
    Ok(lines)
}

/// Reports and leaves out the rows of courses that do not exist and whose short name or idnumber is damaged, or like
/// one of the site's other than by its case: such a course would take the rows of another. Gives how many. Grows with
/// the new courses and the courses of the site, in five statements at most.
///
/// # Errors
/// The database's error.
pub async fn withhold(ctx: &mut RunContext<'_>) -> Result<u64, DbError> {
    let params = ctx.params().fragment("same", ctx.conn.exact("course", "c.shortname", "n.shortname"));
    let new = "SELECT n.line, n.shortname, n.idnumber FROM [new_course] n
        WHERE NOT EXISTS (SELECT 1 FROM {course} c WHERE :same)";
    let new = ctx.conn.rows(new, &params).await?;
    let new: Vec<(i64, [String; 2])> = new.iter().map(|row| (row.int(0), [row.text(1), row.text(2)])).collect();
    if new.is_empty() {
        return Ok(0);
    }
    let mut names = NewNames::default();
    let mut small: HashSet<(i64, String)> = HashSet::new();
    for (kind, name) in new.iter().flat_map(|(_, keys)| (0..).zip(keys)) {
        names.add(kind, name);
        small.insert((kind, name.to_lowercase()));
    }
    ctx.conn
        .each("SELECT c.shortname, c.idnumber FROM {course} c", &params, |row| {
            for (kind, name) in [(0, row.text(0)), (1, row.text(1))] {
                if !small.contains(&(kind, name.to_lowercase())) {
                    names.existing(kind, &name);
                }
            }
            Ok(())
        })
        .await?;
    let suspect = names.suspect();
    let doubtful = new.iter().filter(|(_, keys)| (0..).zip(keys).any(|key| suspect.contains(&(key.0, key.1.clone()))));
    ctx.conn.declare(&SET_DOUBTFUL);
    let mut rows = Bulk::into(ctx.conn.dialect(), &SET_DOUBTFUL);
    for (line, _) in doubtful {
        rows.push(ctx.conn, &[Field::Int(*line)]).await?;
    }
    if rows.finish(ctx.conn).await? == 0 {
        return Ok(0);
    }
    let told = "SELECT n.line AS number, 'course-name-doubtful' AS code, n.shortname AS value, '' AS hint
        FROM [set_doubtful] d JOIN [new_course] n ON n.line = d.line";
    let told = ctx.report_problems(PlaceKind::Course, told, params.clone()).await?;
    let left_out = "DELETE FROM [new_course]
        WHERE EXISTS (SELECT 1 FROM [set_doubtful] d WHERE d.line = [new_course].line)";
    ctx.conn.exec(left_out, &params).await?;
    Ok(told)
}

/// One course, read.
struct CourseRow<'a> {
    fullname: &'a str,
    shortname: &'a str,
    idnumber: &'a str,
    category: &'a str,
    startdate: &'a str,
    enddate: &'a str,
}

type Refused = (Code, String, String);

impl<'a> CourseRow<'a> {
    fn of(header: &Header, rooms: &Rooms, record: &'a csv::StringRecord) -> Result<Self, Refused> {
        let cell = |at: usize| trimmed(record.get(at).unwrap_or_default(), NAME_LIMIT);
        let optional = |at: Option<usize>| at.map_or("", cell);
        let row = Self {
            fullname: cell(header.fullname),
            shortname: cell(header.shortname),
            idnumber: optional(header.idnumber),
            // Moodle treats "0" as empty (spec database 3).
            category: Some(optional(header.category)).filter(|key| *key != "0").unwrap_or_default(),
            startdate: optional(header.startdate),
            enddate: optional(header.enddate),
        };
        row.filled("fullname", row.fullname)?;
        row.filled("shortname", row.shortname)?;
        fits("fullname", row.fullname, rooms.fullname)?;
        fits("shortname", row.shortname, rooms.shortname)?;
        fits("idnumber", row.idnumber, rooms.idnumber)?;
        fits("category", row.category, Room { width: KEY_WIDTH })?;
        Ok(row)
    }

    fn filled(&self, column: &str, text: &str) -> Result<(), Refused> {
        if !matches!(text, "" | "0") {
            return Ok(());
        }
        let said = [self.fullname, self.shortname, self.idnumber, self.category];
        let said = said.into_iter().filter(|text| !text.is_empty()).map(beginning).collect::<Vec<_>>().join(", ");
        Err((Code::CourseNameMissing, said, column.to_owned()))
    }

    /// Adds the row. Dates that cannot be used are no error yet: the course may exist, and then nothing of the row
    /// counts.
    async fn push(
        &self,
        ctx: &mut RunContext<'_>,
        rows: &mut Bulk,
        line: i64,
        zone: Tz,
        small: SmallTimes,
    ) -> Result<(), DbError> {
        let texts = [self.fullname, self.shortname, self.idnumber, self.category].map(Field::Text);
        let [fullname, shortname, idnumber, category] = texts;
        let days = Days::of(self, zone, small);
        let [starttext, endtext] = days.written.each_ref().map(|text| Field::Text(text));
        let flaw = Field::Text(days.flaw.map_or("", Code::as_str));
        let logged = php_json::object(&[("shortname", self.shortname), ("fullname", self.fullname)]);
        let [start, end] = [days.start, days.end].map(Field::Int);
        let names = [Field::Int(line), fullname, shortname, idnumber, category];
        let rest = [start, end, starttext, endtext, flaw, Field::Text(&logged)];
        rows.push(ctx.conn, &[&names[..], &rest[..]].concat()).await
    }
}

/// The first and the last day of a course as its row names them.
struct Days {
    /// 0 for none, as an empty cell and 0 are to Moodle.
    start: i64,
    end: i64,
    /// How the row writes them; of a day that cannot be read, that one first.
    written: [String; 2],
    flaw: Option<Code>,
}

impl Days {
    fn of(row: &CourseRow<'_>, zone: Tz, small: SmallTimes) -> Self {
        let written = [row.startdate, row.enddate].map(|text| if text == "0" { String::new() } else { shown(text) });
        let days = [row.startdate, row.enddate].map(|text| times::parse(text, Bound::Start, zone, small));
        match days {
            [Ok(start), Ok(end)] => {
                let flaw = (end > 0 && end < start).then_some(Code::EndBeforeStart);
                Self { start, end, written, flaw }
            }
            [bad, _] => {
                let at = usize::from(bad.is_ok());
                let written = [written[at].clone(), String::new()];
                Self { start: 0, end: 0, written, flaw: Some(Code::BadTime) }
            }
        }
    }
}

fn fits(column: &str, text: &str, room: Room) -> Result<(), Refused> {
    room.fits(text).map_err(|code| match code {
        Code::ValueTooLong => (Code::CourseNameTooLong, beginning(text), format!("{} ({column})", room.width)),
        code => (code, beginning(text), column.to_owned()),
    })
}

fn beginning(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}
