//! One text that is several properties of a system: joined when it is read, split when it is written.

use super::builder::Checks;
use super::error::Fault;
use super::{Field, FieldBinding, FieldSpec, Unfit};
use crate::model::{FieldKind, Raw, Value};
use std::borrow::Cow;

/// How one text is several properties.
///
/// A blank property is left out of the text, and a text with fewer parts than there are properties leaves the others blank.
/// A separator that stands within a property counts as any other, so the same text may be split elsewhere when it is written
/// back after an edit. Until then the properties stay as they are: equal texts write nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// What stands between the parts.
    pub separator: String,
    /// Which separators count where there are more than needed.
    pub cut: Cut,
}

/// Which separators count where there are more than needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cut {
    /// The first ones: the last property gets the rest, and a lone part goes to the first.
    #[default]
    First,
    /// The last ones: the first property gets the rest, and a lone part goes to the last.
    Last,
}

impl Join {
    /// The text of some properties.
    fn text(&self, parts: &[Raw]) -> String {
        let parts: Vec<String> = parts.iter().map(part).filter(|part| !part.is_empty()).collect();
        self.normal(parts.join(&self.separator))
    }

    /// Without blanks around separators, and without separators that nothing stands between: neither would survive being
    /// split, so a text that shows them is no other than one without.
    fn normal(&self, mut text: String) -> String {
        loop {
            let parts = text.split(&self.separator).map(|text| part(&Raw::Text(text.into())));
            let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
            // What was taken away may have parted a separator.
            match parts.join(&self.separator) {
                same if same == text => return text,
                shorter => text = shorter,
            }
        }
    }

    /// Always seen from the beginning, also where the last separators count: of two that share a blank it is the first one that
    /// [`Self::normal`] sees, too.
    fn split<'t>(&self, text: &'t str, count: usize) -> Vec<&'t str> {
        let all: Vec<usize> = text.match_indices(&self.separator).map(|(at, _)| at).collect();
        let counting = all.len().min(count.saturating_sub(1));
        let counting = match self.cut {
            Cut::First => &all[..counting],
            Cut::Last => &all[all.len() - counting..],
        };
        let mut from = 0;
        let mut parts = Vec::with_capacity(count);
        for at in counting {
            parts.push(&text[from..*at]);
            from = at + self.separator.len();
        }
        parts.push(&text[from..]);
        let missing = count.saturating_sub(parts.len());
        let blanks = std::iter::repeat_n("", missing);
        match self.cut {
            Cut::First => parts.extend(blanks),
            Cut::Last => drop(parts.splice(0..0, blanks)),
        }
        parts
    }

    /// Can one separator begin within another? Then it matters from where one looks for them.
    fn overlaps(&self) -> bool {
        let text = &self.separator;
        let ends = text.char_indices().skip(1).map(|(at, _)| &text[at..]);
        ends.into_iter().any(|end| text.starts_with(end) && !end.trim().is_empty())
    }

    /// Which property a text of one part goes to.
    pub(super) fn lone(&self, count: usize) -> usize {
        match self.cut {
            Cut::First => 0,
            Cut::Last => count.saturating_sub(1),
        }
    }
}

/// How a field is the properties of one system.
pub(super) fn compile(spec: &FieldSpec, at: &str, properties: &[String], checks: &mut Checks) -> Option<Join> {
    let fault = match (properties.len(), &spec.join) {
        (0, _) => Fault::Blank { what: "the property" },
        (1, _) => return None,
        _ if spec.kind != FieldKind::Text => Fault::JoinOfOtherKind { kind: spec.kind.name() },
        _ if spec.group.is_some() => Fault::JoinInGroup,
        (_, None) => Fault::NoJoin,
        (_, Some(join)) if join.separator.is_empty() => Fault::JoinBlank,
        (_, Some(join)) if join.overlaps() => Fault::JoinOverlaps,
        (_, Some(join)) => return Some(join.clone()),
    };
    checks.fault(at, fault);
    None
}

/// What a field says of several properties has an effect.
pub(super) fn check(spec: &FieldSpec, at: &str, checks: &mut Checks) {
    if spec.join.is_some()
        && spec
            .properties
            .iter()
            .map(|(_, several)| several)
            .chain(spec.of_objects.iter().map(|(.., several)| several))
            .all(|several| several.len() < 2)
    {
        let (choice, why) = ("join".to_owned(), "no system has several properties of the field");
        let mend = "take it away, or list the properties: SYSTEM = [\"first\", \"last\"]";
        checks.fault(format!("{at}.join"), Fault::ChoiceUseless { choice, why, mend });
    }
}

/// A part in its canonical form.
fn part(raw: &Raw) -> String {
    match FieldKind::Text.read(raw) {
        Ok(Value::Text(text)) => text.into(),
        _ => String::new(),
    }
}

impl FieldBinding {
    /// One raw value of those of all properties.
    pub(super) fn joined<'r>(&self, raws: &'r [Raw]) -> Cow<'r, Raw> {
        match &self.join {
            Some(join) => Cow::Owned(Raw::Text(join.text(raws).into())),
            None => Cow::Borrowed(raws.first().unwrap_or(&Raw::Absent)),
        }
    }
}

impl Field {
    /// A text as the properties hold it.
    pub(super) fn split(&self, binding: &FieldBinding, text: &str) -> Result<Vec<Raw>, Unfit> {
        let Some(join) = &binding.join else {
            return Ok(vec![Raw::Text(self.fit_text(binding, text)?.into())]);
        };
        let text = join.normal(text.to_owned());
        let parts = join.split(&text, binding.properties.len()).into_iter();
        let parts = parts.map(|text| match part(&Raw::Text(text.into())) {
            blank if blank.is_empty() => Ok(Raw::Null),
            text => Ok(Raw::Text(self.fit_text(binding, &text)?.into())),
        });
        parts.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FieldId, Home};
    use crate::rules::{ConflictPolicy, Limits, LinkPolicy, Mismatch, TooLong};
    use proptest::prelude::*;

    fn field(separator: &str, cut: Cut, count: usize) -> Field {
        let join = Some(Join { separator: separator.into(), cut });
        let properties = (0..count).map(|at| at.to_string()).collect();
        let binding = FieldBinding { join, properties, ..FieldBinding::new(Home::of("a", "b"), "") };
        Field {
            id: FieldId(1),
            name: "name".into(),
            kind: FieldKind::Text,
            bindings: vec![binding],
            conflict: ConflictPolicy::Latest,
            on_link: LinkPolicy::FillBlanks,
            mismatch: Mismatch::default(),
            sensitive: false,
            members: Vec::new(),
            shared_domains: None,
        }
    }

    fn text(raw: &Raw) -> &str {
        match raw {
            Raw::Text(text) => text,
            Raw::Null => "",
            other => panic!("{other:?}"),
        }
    }

    fn raws(parts: &[&str]) -> Vec<Raw> {
        parts.iter().map(|part| Raw::Text((*part).into())).collect()
    }

    #[test]
    fn a_text_is_split_at_the_first_separator_or_the_last() {
        for (separator, cut, count, whole, parts) in [
            (" ", Cut::First, 2, "Ann Smith", vec!["Ann", "Smith"]),
            (" ", Cut::First, 2, "Mary Ann Smith", vec!["Mary", "Ann Smith"]),
            (" ", Cut::Last, 2, "Mary Ann Smith", vec!["Mary Ann", "Smith"]),
            (" ", Cut::First, 2, "Cher", vec!["Cher", ""]),
            (" ", Cut::Last, 2, "Cher", vec!["", "Cher"]),
            (" ", Cut::Last, 3, "Ann Smith", vec!["", "Ann", "Smith"]),
            (", ", Cut::First, 3, "1 Main St, Flat 2, Rear, Left", vec!["1 Main St", "Flat 2", "Rear, Left"]),
        ] {
            let field = field(separator, cut, count);
            let binding = &field.bindings[0];
            let value = Value::Text(whole.into());
            let written = field.write(binding, &value).unwrap();
            assert_eq!(written.iter().map(text).collect::<Vec<_>>(), parts);
            assert_eq!(field.read(binding, &written), Ok(value.clone()));
            assert_eq!(field.project(binding, &value), value);
        }
    }

    #[test]
    fn blank_properties_are_left_out_and_all_blank_is_blank() {
        let field = field(" ", Cut::First, 2);
        let binding = &field.bindings[0];
        assert_eq!(field.read(binding, &raws(&["", "Smith"])), Ok(Value::Text("Smith".into())));
        assert_eq!(field.read(binding, &[Raw::Null, Raw::Absent]), Ok(Value::Null));
        assert_eq!(field.write(binding, &Value::Null), Ok(vec![Raw::Null, Raw::Null]));
    }

    #[test]
    fn a_separator_within_a_property_changes_nothing_until_somebody_edits() {
        let field = field(" ", Cut::First, 2);
        let binding = &field.bindings[0];
        let shown = field.read(binding, &raws(&["Mary Ann", "Smith"])).unwrap();
        assert_eq!((&shown, field.project(binding, &shown)), (&Value::Text("Mary Ann Smith".into()), shown.clone()));
        // Of a text with two blanks in a row the side shows one: that is its projection.
        let wide = Value::Text("Mary  Smith".into());
        assert_eq!(field.project(binding, &wide), Value::Text("Mary Smith".into()));
    }

    #[test]
    fn each_property_has_the_length_that_is_stated() {
        let mut field = field(" ", Cut::First, 2);
        field.bindings[0].limits = Limits { length: Some(4), ..Limits::default() };
        let value = Value::Text("Anna Smithson".into());
        let unfit = field.write(&field.bindings[0], &value).unwrap_err();
        assert_eq!(unfit.error, Unfit::TooLong { length: 8, max: 4 });
        field.mismatch.too_long = TooLong::Truncate;
        assert_eq!(field.project(&field.bindings[0], &value), Value::Text("Anna Smit".into()));
    }

    /// Found by the property below: two separators that share a blank.
    #[test]
    fn separators_are_seen_from_the_beginning() {
        let field = field(" - ", Cut::Last, 2);
        let read = field.read(&field.bindings[0], &[Raw::Text(",".into()), Raw::Text("-  ,".into())]).unwrap();
        assert_eq!(field.project(&field.bindings[0], &read), read);
    }

    proptest! {
        /// What a person enters is not written over: what it is read as would be read again of what is written for it.
        #[test]
        fn what_was_read_comes_back(
            separator in prop_oneof![Just(" "), Just(", "), Just(" - "), Just("a"), Just("ab"), Just("; "), Just(" a "), Just("  ")],
            last in any::<bool>(),
            parts in prop::collection::vec("[ab ,;-]{0,7}", 2..4),
        ) {
            let join = Join { separator: separator.into(), cut: Cut::First };
            prop_assert!(!join.overlaps());
            let field = field(separator, if last { Cut::Last } else { Cut::First }, parts.len());
            let binding = &field.bindings[0];
            let raws: Vec<Raw> = parts.into_iter().map(|text| Raw::Text(text.into())).collect();
            let read = field.read(binding, &raws).unwrap();
            prop_assert_eq!(field.project(binding, &read), read);
        }

        /// The projection is what a side shows once it was written, whatever stood in the text.
        #[test]
        fn a_projection_stays(whole in "[ab ,-]{0,10}", last in any::<bool>(), count in 2usize..4) {
            let field = field(" ", if last { Cut::Last } else { Cut::First }, count);
            let binding = &field.bindings[0];
            let value = FieldKind::Text.read(&Raw::Text(whole.into())).unwrap();
            let projected = field.project(binding, &value);
            prop_assert_eq!(field.project(binding, &projected), projected);
        }
    }
}
