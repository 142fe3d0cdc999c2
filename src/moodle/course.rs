//! Gives what Moodle creates with a new course: the columns of its row, options of its format, sections, enrolment
//! methods. It must not write or plan anything; the run does.

use std::collections::BTreeMap;

use crate::db::Value;
use crate::moodle::site::Site;

/// The plugin in `config_plugins` with the defaults of new courses.
const PLUGIN: &str = "moodlecourse";

/// Moodle's documented defaults of a setting that was never saved (seconds, numbers).
const YEAR: i64 = 31_536_000;
const SECTIONS: i64 = 4;
const NEWSITEMS: i64 = 5;
const THRESHOLD: i64 = 86_400;

/// Moodle 5.1: from here on a course of the external database gets the site's `showactivitydates`.
const SHOWS_ACTIVITY_DATES: i64 = 2_025_100_600;

/// Formats with the two options of [`default_options`].
pub const SECTION_FORMATS: &str = "'topics', 'weeks'";

/// Columns that a new course never copies from its template: they identify a course, or belong to one course alone.
const OWN: [&str; 16] = [
    "id",
    "category",
    "sortorder",
    "fullname",
    "shortname",
    "idnumber",
    // See `Dates`.
    "startdate",
    "enddate",
    "timecreated",
    "timemodified",
    "cacherev",
    "requested",
    "originalcourseid",
    // Groupings and the marked section are not copied, so references to them are not either.
    "defaultgroupingid",
    "marker",
    "visibleold",
];

/// The days on which a new course begins and ends if its row does not name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dates {
    /// The beginning; 0 for none.
    pub start: i64,
    /// The end of a course that begins then; 0 for none.
    pub end: i64,
    /// How long a course takes, if the site gives it an end (`courseenddateenabled`): the end follows the beginning.
    duration: Option<i64>,
}

impl Dates {
    /// The days by the site's settings, with those of a template; `today` is the first second of the site's day. As in
    /// Moodle, a length of courses in the settings also replaces the end of the template.
    pub fn of(site: &Site, today: i64, template: Option<(i64, i64)>) -> Self {
        let (start, end) = template.unwrap_or((today, 0));
        let ends = number(site, "courseenddateenabled", 1) != 0;
        let duration = ends.then(|| number(site, "courseduration", YEAR));
        let end = match duration {
            Some(duration) if start > 0 => start + duration,
            Some(_) => 0,
            None => end,
        };
        Self { start, end, duration }
    }

    /// SQL for the end of a course that begins at `start`, another expression. A course that never begins has no end.
    pub fn end_after(&self, start: &str) -> String {
        match self.duration {
            Some(duration) => format!("CASE WHEN {start} > 0 THEN {start} + {duration} ELSE 0 END"),
            None => self.end.to_string(),
        }
    }
}

/// The columns of a new course's row except names, place in the category and times: those that the site's table has,
/// with the site's `moodlecourse` defaults (spec database 8.3).
pub fn default_columns(site: &Site) -> Vec<(String, Value)> {
    let int = |name, documented| Value::Int(number(site, name, documented));
    let columns = [
        ("summary", Value::from("")),
        ("summaryformat", Value::Int(1)),
        ("format", Value::from(text(site, "format", "topics"))),
        ("showgrades", int("showgrades", 1)),
        ("newsitems", int("newsitems", NEWSITEMS)),
        ("maxbytes", int("maxbytes", 0)),
        ("showreports", int("showreports", 0)),
        ("visible", int("visible", 1)),
        ("visibleold", int("visible", 1)),
        ("groupmode", int("groupmode", 0)),
        ("groupmodeforce", int("groupmodeforce", 0)),
        ("lang", Value::from(text(site, "lang", ""))),
        ("enablecompletion", int("enablecompletion", 1)),
        ("showcompletionconditions", int("showcompletionconditions", 1)),
        ("showactivitydates", int("showactivitydates", 1)),
        ("enableaitools", int("enableaitools", 0)),
    ];
    let written = |column: &str| match column {
        // Without completion there is nothing to show.
        "showcompletionconditions" => number(site, "enablecompletion", 1) != 0,
        "showactivitydates" => site.version() >= SHOWS_ACTIVITY_DATES,
        // Without a setting the course has no value of its own.
        "enableaitools" => site.plugin(PLUGIN, column).is_some(),
        _ => true,
    };
    let has = |(column, _): &(&str, Value)| site.columns.has("course", column) && written(column);
    columns.into_iter().filter(has).map(|(column, value)| (column.to_owned(), value)).collect()
}

/// The columns that a new course copies from its template.
pub fn lent_columns(site: &Site) -> Vec<String> {
    // Moodle sets relative dates only where the site allows them.
    let relative = site.number("enablecourserelativedates", 0) != 0;
    let own = |column: &str| OWN.contains(&column) || (column == "relativedatesmode" && !relative);
    site.columns.of("course").iter().filter(|column| !own(column)).cloned().collect()
}

/// SQL for the value of a column that follows from the template `p`, if it is not simply copied.
pub fn lent_otherwise(site: &Site, column: &str) -> Option<String> {
    let default = number(site, "showcompletionconditions", 1);
    (column == "showcompletionconditions")
        .then(|| format!("CASE WHEN p.enablecompletion <> 0 THEN COALESCE(p.showcompletionconditions, {default}) END"))
}

/// The number of the last section of a new course without a template.
pub fn default_sections(site: &Site) -> i64 {
    number(site, "numsections", SECTIONS).max(0)
}

/// The options of a new course's format: `course_format_options.name` and `value`. Other formats than
/// [`SECTION_FORMATS`] add their own when they are first shown.
pub fn default_options(site: &Site) -> [(&'static str, i64); 2] {
    [("hiddensections", number(site, "hiddensections", 1)), ("coursedisplay", number(site, "coursedisplay", 0))]
}

/// An enrolment method that a new course has from the start.
#[derive(Clone, Debug)]
pub struct FirstMethod {
    /// `enrol.enrol`
    pub method: &'static str,
    /// `enrol.sortorder`: its position among the methods of the course.
    pub place: i64,
    /// The other columns of its instance.
    pub columns: Vec<(&'static str, Value)>,
}

/// Moodle's own methods that create an instance in a new course, by the site's settings and in the site's order.
pub fn first_methods(site: &Site) -> Vec<FirstMethod> {
    let methods: Vec<&'static str> = site.enabled_methods().filter_map(known).collect();
    let wanted = methods.into_iter().filter(|method| Method(site, method).number("defaultenrol", 1) != 0);
    let described = wanted.enumerate().map(|(place, method)| FirstMethod {
        method,
        place: place as i64,
        columns: Method(site, method).columns(),
    });
    described.collect()
}

/// The columns of numbers that a new instance of a method with settings of its own gets; `None` for any other method.
pub fn new_method(site: &Site, method: &str) -> Option<BTreeMap<&'static str, i64>> {
    let method = known(method).filter(|method| *method != "guest")?;
    let number = |(column, value): (&'static str, Value)| match value {
        Value::Int(number) => Some((column, number)),
        _ => None,
    };
    Some(Method(site, method).columns().into_iter().filter_map(number).collect())
}

fn known(method: &str) -> Option<&'static str> {
    ["manual", "guest", "self"].into_iter().find(|known| *known == method)
}

/// A method's settings.
struct Method<'a>(&'a Site, &'static str);

impl Method<'_> {
    fn number(&self, name: &str, documented: i64) -> i64 {
        let setting = self.0.plugin(&format!("enrol_{}", self.1), name);
        setting.and_then(|text| text.trim().parse().ok()).unwrap_or(documented)
    }

    fn int(&self, column: &'static str, name: &str, documented: i64) -> (&'static str, Value) {
        (column, Value::Int(self.number(name, documented)))
    }

    /// Disables the instance of a method that must have an enrolment key: enrold sets none, so any user could enter.
    fn status(&self, documented: i64) -> (&'static str, Value) {
        let closed = self.1 != "manual" && self.number("requirepassword", 0) != 0;
        ("status", Value::Int(if closed { 1 } else { self.number("status", documented) }))
    }

    fn columns(&self) -> Vec<(&'static str, Value)> {
        match self.1 {
            "guest" => vec![self.status(1), ("roleid", Value::Int(0)), ("password", Value::from(""))],
            "self" => {
                let mut columns = vec![self.status(1)];
                columns.extend(self.terms());
                columns.extend([
                    self.int("customint1", "groupkey", 0),
                    self.int("customint2", "longtimenosee", 0),
                    self.int("customint3", "maxenrolled", 0),
                    self.int("customint4", "sendcoursewelcomemessage", 1),
                    ("customint5", Value::Int(0)),
                    self.int("customint6", "newenrols", 1),
                ]);
                columns
            }
            _ => {
                let mut columns = vec![self.status(0)];
                columns.extend(self.terms());
                // The setting exists since Moodle 4.4.
                if self.0.plugin("enrol_manual", "sendcoursewelcomemessage").is_some() {
                    columns.push(self.int("customint1", "sendcoursewelcomemessage", 1));
                }
                columns
            }
        }
    }

    /// Role, period and notification; a setting of 2 notifies the participant too.
    fn terms(&self) -> [(&'static str, Value); 5] {
        let notify = self.number("expirynotify", 0);
        let student = self.0.roles.iter().find(|role| role.shortname == "student").map_or(0, |role| role.id);
        [
            self.int("roleid", "roleid", student),
            self.int("enrolperiod", "enrolperiod", 0),
            ("expirynotify", Value::Int(notify.min(1))),
            ("notifyall", Value::Int(i64::from(notify > 1))),
            self.int("expirythreshold", "expirythreshold", THRESHOLD),
        ]
    }
}

fn number(site: &Site, name: &str, documented: i64) -> i64 {
    site.plugin(PLUGIN, name).and_then(|text| text.trim().parse().ok()).unwrap_or(documented)
}

fn text<'a>(site: &'a Site, name: &str, documented: &'a str) -> &'a str {
    site.plugin(PLUGIN, name).map(str::trim).filter(|text| !text.is_empty()).unwrap_or(documented)
}
