//! "Did you mean": the closest of some known words.

/// The known word that is closest to `word`, if one is close enough to be a slip of the finger.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count().max(3) / 3).min(3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// The value of the choice that means most likely the same as (`value`, `label`): equal but for case, blanks and signs,
/// then a slip of the finger, then one that shares most of its words.
pub(crate) fn nearest_choice<'a>(value: &str, label: &str, choices: &'a [(String, String)]) -> Option<&'a str> {
    if let Some(same) = same_choice(value, label, choices) {
        return Some(same);
    }
    let labels = || choices.iter().map(|(_, label)| label.as_str());
    let by_label = |label: &str| choices.iter().find(|(_, theirs)| theirs == label).map(|(value, _)| value.as_str());
    if let Some(near) = nearest(label, labels()).and_then(by_label) {
        return Some(near);
    }
    let shared = |theirs: &str| {
        let (a, b) = (words(label), words(theirs));
        let both = a.iter().filter(|word| b.contains(word)).count();
        (both * 2 >= a.len().max(b.len()) && both > 0).then_some(both)
    };
    let best = choices.iter().filter_map(|(value, label)| Some((shared(label)?, value)));
    best.max_by_key(|(both, _)| *both).map(|(_, value)| value.as_str())
}

/// The value of the choice that is the same as (`value`, `label`) but for case, blanks and signs.
pub(crate) fn same_choice<'a>(value: &str, label: &str, choices: &'a [(String, String)]) -> Option<&'a str> {
    let ours = [plain(label), plain(value)];
    let same = |(theirs, their_label): &&(String, String)| {
        ours.iter().any(|ours| !ours.is_empty() && [plain(their_label), plain(theirs)].contains(ours))
    };
    choices.iter().find(same).map(|(theirs, _)| theirs.as_str())
}

/// Letters and digits in lower case.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn words(text: &str) -> Vec<String> {
    text.split(|char: char| !char.is_alphanumeric()).map(plain).filter(|word| word.chars().count() > 2).collect()
}

/// Edits between two words; a swap of neighbours counts one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(LEN_MAX).collect(), b.chars().take(LEN_MAX).collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut least = (rows[i][j + 1] + 1).min(row[j] + 1).min(rows[i][j] + usize::from(x != y));
            if i > 0 && j > 0 && a[i - 1] == *y && b[j - 1] == *x {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// Longer words are compared by their beginning: a config may hold anything.
const LEN_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::{nearest, nearest_choice};

    #[test]
    fn choices_are_paired_by_what_people_read() {
        let choices = [
            ("s1", "Appointment Scheduled"),
            ("won", "Closed Won"),
            ("lost", "Closed Lost"),
            ("id", "Id. Decision Makers"),
        ];
        let choices: Vec<(String, String)> = choices.map(|(v, l)| (v.to_owned(), l.to_owned())).into();
        for (value, label, wanted) in [
            ("appointmentscheduled", "Appointment scheduled", Some("s1")),
            ("closedwon", "closedwon", Some("won")),
            ("77", "Closed Wonn", Some("won")),
            ("x", "Decision Maker", Some("id")),
            ("x", "Decision Makers bought in", Some("id")),
            ("x", "Prospecting", None),
            ("", "", None),
        ] {
            assert_eq!(nearest_choice(value, label, &choices), wanted, "{label}");
        }
    }

    #[test]
    fn a_slip_finds_its_word_and_another_word_does_not() {
        let known = ["conflict", "on_link", "type", "hubspot", "salesforce"];
        for (word, wanted) in [
            ("conflct", Some("conflict")),
            ("onlink", Some("on_link")),
            ("tpye", Some("type")),
            ("Salesforce", Some("salesforce")),
            ("saleforce", Some("salesforce")),
            ("pipedrive", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), wanted, "{word}");
        }
    }
}
