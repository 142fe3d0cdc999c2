//! The kinds of place at which a problem is found; kind and number together locate it. It must not depend on what is
//! wrong there.

/// What the number of a problem counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceKind {
    /// Cohorts that a set names: many rows name one. The number counts those that are reported.
    Cohort,
    /// Groups that a set names: many rows name one. The number counts those that are reported.
    Group,
    /// Rows of the files of a set that are not in its snapshot. The number counts them; file and line locate them.
    Unread,
    /// Lines of a table of courses.
    Course,
    /// `enrol.id` of an enrolment instance.
    Instance,
    /// `enrol_flatfile.id`, a row of Moodle's buffer of future lines.
    Buffer,
    /// `enrold_waiting.id`, a line that waited; file and line locate it.
    Waiting,
    /// Lines of the file, or of the snapshot of a set.
    Line,
}

impl PlaceKind {
    /// All kinds, in the order in which problems are shown.
    pub const ALL: [Self; 8] = [
        Self::Cohort,
        Self::Group,
        Self::Unread,
        Self::Course,
        Self::Instance,
        Self::Buffer,
        Self::Waiting,
        Self::Line,
    ];

    /// The word in `enrold_error.place`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cohort => "cohort",
            Self::Group => "group",
            Self::Unread => "unread",
            Self::Course => "course",
            Self::Instance => "enrol",
            Self::Buffer => "buffer",
            Self::Waiting => "waiting",
            Self::Line => "line",
        }
    }

    /// The kind of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether the number is shown as the line; for other kinds none is shown.
    pub fn is_line(self) -> bool {
        matches!(self, Self::Buffer | Self::Line)
    }

    /// How a number of this kind is sorted, as SQL over the column: the newest instance comes first.
    pub(super) fn sorted(self, column: &str) -> String {
        if self == Self::Instance { format!("-{column}") } else { column.to_owned() }
    }
}
