//! `LIKE`: `%` is any run of characters, `_` any one, a backslash takes a wild card literally. Case is ignored.

/// A pattern, ready to be matched.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern(Vec<Part>);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    Run,
    Any,
    Exactly(char),
}

impl Pattern {
    /// Reads a pattern.
    pub fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let folded = text.to_lowercase();
        let mut letters = folded.chars();
        while let Some(letter) = letters.next() {
            parts.push(match letter {
                '%' => Part::Run,
                '_' => Part::Any,
                '\\' => Part::Exactly(letters.next().unwrap_or('\\')),
                letter => Part::Exactly(letter),
            });
        }
        parts.dedup_by(|next, before| *next == Part::Run && *before == Part::Run);
        Self(parts)
    }

    /// Does the whole of `text` match? Goes back to the last `%` only, so time is bounded by text times pattern.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.to_lowercase().chars().collect();
        let (mut at, mut part) = (0, 0);
        let mut retry = None;
        while at < text.len() {
            match self.0.get(part) {
                Some(Part::Run) => {
                    retry = Some((at, part + 1));
                    part += 1;
                    continue;
                }
                Some(Part::Any) => {}
                Some(Part::Exactly(letter)) if *letter == text[at] => {}
                _ => match retry {
                    Some((tried, behind)) => {
                        retry = Some((tried + 1, behind));
                        (at, part) = (tried + 1, behind);
                        continue;
                    }
                    None => return false,
                },
            }
            at += 1;
            part += 1;
        }
        self.0[part..].iter().all(|part| *part == Part::Run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("%", "", true),
            ("a%", "Abc", true),
            ("%BC", "abc", true),
            ("%b%", "abc", true),
            ("a_c", "abc", true),
            ("a_c", "ac", false),
            ("a_", "a", false),
            ("%a%b%c", "xaybzbc", true),
            ("%a%b%c", "xaybzb", false),
            (r"50\%", "50%", true),
            (r"50\%", "500", false),
            (r"a\_b", "a_b", true),
            (r"a\_b", "axb", false),
            (r"a\\b", r"a\b", true),
            ("É%", "été", true),
            ("%%%%%%%%%%%%%%%%b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), expected, "{pattern} {text}");
        }
    }
}
