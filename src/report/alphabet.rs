//! The order of names as French readers expect it: accents, capitals and ligatures count only between equal letters.
//! It must not know what is named.

use std::cmp::Ordering;

use icu_collator::CollatorBorrowed;
use icu_collator::options::CollatorOptions;

/// Sorts rows by names, the first that differs deciding. The order is that of Unicode's collation without a tailoring,
/// which is that of French and English.
pub fn sort_by_names<T, const N: usize>(rows: &mut [T], names: impl Fn(&T) -> [&str; N]) {
    let collator = CollatorBorrowed::try_new(Default::default(), CollatorOptions::default()).ok();
    let order = |one: &str, other: &str| match &collator {
        Some(collator) => collator.compare(one, other),
        // Not reached: the data of this order is in the program.
        None => one.cmp(other),
    };
    rows.sort_by(|one, other| {
        let pairs = names(one).into_iter().zip(names(other));
        pairs.map(|(one, other)| order(one, other)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
}

#[cfg(test)]
mod tests {
    use super::sort_by_names;

    #[test]
    fn names_stand_as_in_a_french_list() {
        let expected = [
            "",
            "2e",
            "Abel",
            "de La Tour",
            "Eboué",
            "Éboué",
            "Elie",
            "Élie",
            "élie noé",
            "Étienne",
            "Œuvrard",
            "Olive",
            "Zoé",
            "Жук",
        ];
        let mut names = expected;
        names.reverse();
        sort_by_names(&mut names, |name| [*name]);
        assert_eq!(names, expected);
        let mut both = [("Noël", "Zoé"), ("Noel", "Zoé"), ("Noël", "Ana"), ("noel", "Ana")];
        sort_by_names(&mut both, |(last, first)| [*last, *first]);
        assert_eq!(both, [("noel", "Ana"), ("Noel", "Zoé"), ("Noël", "Ana"), ("Noël", "Zoé")]);
    }
}
