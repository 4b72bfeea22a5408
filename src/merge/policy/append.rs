//! `append`: what several authors added to a text stands in one, line by line.

use std::collections::BTreeMap;

/// A line that is not blank, with the blank lines above it, which go where it goes.
#[derive(Debug, Clone, Copy)]
struct Line<'t> {
    gap: usize,
    text: &'t str,
}

/// What an author made of what he was shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change<'t> {
    /// What he was shown.
    pub shown: &'t str,
    /// What he left there.
    pub left: &'t str,
}

/// Three ways, by lines: compared with `base`, which all authors had seen, what any added is in, and what any took out is out. What
/// an author set above all that was there stays above it, the last one's uppermost; all else comes below, in the order of the changes.
/// What several added is there once: so a text that is told twice, or comes back as we wrote it, adds nothing.
pub(super) fn append(base: &str, changes: &[Change<'_>]) -> String {
    let mut kept = lines(base);
    let (mut gone, mut come) = (BTreeMap::new(), BTreeMap::new());
    let (mut above, mut below) = (Vec::new(), Vec::new());
    for change in changes {
        let (shown, left) = (lines(change.shown), lines(change.left));
        let (was, is) = (counts(&shown), counts(&left));
        for (text, times) in &was {
            let fewer = times.saturating_sub(times_in(&is, text));
            let known: &mut usize = gone.entry(*text).or_default();
            *known = fewer.max(*known);
        }
        // How often each line is new, and nobody before has added it.
        let mut new = BTreeMap::new();
        for (text, times) in &is {
            let more = times.saturating_sub(times_in(&was, text));
            let known: &mut usize = come.entry(*text).or_default();
            new.insert(*text, more.saturating_sub(*known));
            *known = more.max(*known);
        }
        let mut take = |line: &Line<'_>| {
            let new = new.get_mut(line.text).filter(|new| **new > 0);
            new.map(|new| *new -= 1).is_some()
        };
        let top =
            if shown.is_empty() { 0 } else { left.iter().take_while(|line| !was.contains_key(line.text)).count() };
        let (head, rest) = left.split_at(top);
        let head: Vec<Line<'_>> = head.iter().copied().filter(|line| take(line)).collect();
        if !head.is_empty() {
            above.push((head, rest.first().map_or(0, |next| next.gap)));
        }
        // Of equal lines the lower ones are new.
        let mut tail: Vec<Line<'_>> = rest.iter().rev().copied().filter(|line| take(line)).collect();
        tail.reverse();
        below.extend(tail);
    }
    for (text, times) in gone {
        for _ in 0..times {
            let last = kept.iter().rposition(|line| line.text == text);
            last.map(|at| kept.remove(at));
        }
    }
    let (mut all, mut apart) = (Vec::new(), 0);
    for (head, gap) in above.into_iter().rev() {
        all.extend(apart_by(apart, head));
        apart = gap;
    }
    all.extend(apart_by(apart, kept));
    all.extend(below);
    text_of(&all)
}

/// These lines, the first of them with at least so many blank ones above.
fn apart_by(gap: usize, mut lines: Vec<Line<'_>>) -> Vec<Line<'_>> {
    if let Some(first) = lines.first_mut() {
        first.gap = first.gap.max(gap);
    }
    lines
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let (mut lines, mut gap) = (Vec::new(), 0);
    for text in text.split('\n').map(str::trim_end) {
        if text.is_empty() {
            gap += 1;
        } else {
            lines.push(Line { gap, text });
            gap = 0;
        }
    }
    lines
}

fn text_of(lines: &[Line<'_>]) -> String {
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        let breaks = if at == 0 { 0 } else { line.gap + 1 };
        text.extend(std::iter::repeat_n('\n', breaks));
        text.push_str(if at == 0 { line.text.trim_start() } else { line.text });
    }
    text
}

fn counts<'t>(lines: &[Line<'t>]) -> BTreeMap<&'t str, usize> {
    let mut counts = BTreeMap::new();
    lines.iter().for_each(|line| *counts.entry(line.text).or_default() += 1);
    counts
}

fn times_in(counts: &BTreeMap<&str, usize>, text: &str) -> usize {
    counts.get(text).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn appended(base: &str, left: &[&str]) -> String {
        let changes: Vec<Change<'_>> = left.iter().map(|left| Change { shown: base, left }).collect();
        append(base, &changes)
    }

    #[test]
    fn each_addition_stands_where_its_author_put_it() {
        for (base, left, result) in [
            ("", &["called", "no answer"][..], "called\nno answer"),
            ("called", &["called\nno answer", "called\nmail sent"], "called\nno answer\nmail sent"),
            ("called", &["tried again\ncalled", "mail sent\ncalled"], "mail sent\ntried again\ncalled"),
            // What separates notes stays with them.
            ("a", &["a\n\nb", "a\n\nc\nd"], "a\n\nb\n\nc\nd"),
            ("a", &["b\n\na", "c\n\na"], "c\n\nb\n\na"),
            // One corrects what the other adds to.
            ("call Ann\nhot", &["call Anne\nhot", "call Ann\nhot\nlunch"], "call Anne\nhot\nlunch"),
            ("a\nb\nc", &["a\nc", "a\nb"], "a"),
            // The same line, again.
            ("a\nb", &["a\nb\na", "a\nb\na"], "a\nb\na"),
            ("a\nb", &["a\nb\na", "a\nb\na\na"], "a\nb\na\na"),
            ("a\nb\na", &["b\na", "a\nb\na\nc"], "a\nb\nc"),
            // One clears it, the other goes on.
            ("a", &["", "a\nb"], "b"),
            ("", &["", ""], ""),
        ] {
            assert_eq!(appended(base, left), result, "{base:?} {left:?}");
        }
    }

    #[test]
    fn what_was_made_of_all_adds_nothing_when_it_is_told_as_somebodys() {
        for (base, left) in [("a", ["a\n\nb", "c\na"]), ("", ["b", "c\nd"]), ("a\nb", ["b", "a\nb\na"])] {
            let once = appended(base, &left);
            assert_eq!(appended(base, &[left[0], left[1], &once]), once, "{base:?} {left:?}");
            assert_eq!(appended(base, &[&once, left[0], left[1]]), once, "{base:?} {left:?}");
        }
    }
}
