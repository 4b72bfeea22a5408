//! Problems that somebody wants no more to be told of, with the reason. One comes back by itself when it is gone, or another.

use super::txn::Txn;
use super::{Begin, Change, Happening, Ignored, Problem, ProblemPlace, ViewError};

/// What one command says of problems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignore {
    /// The run that it is; none = it goes on with the one that was begun last.
    pub begin: Option<Begin>,
    /// Which.
    pub problems: Vec<ProblemPlace>,
    /// Why they are ignored from now on; none = they are not any more.
    pub reason: Option<String>,
}

impl Txn<'_> {
    /// Takes in what an operator says of problems.
    pub fn ignore(&mut self, Ignore { begin, problems, reason }: Ignore) -> Result<(), ViewError> {
        match begin {
            Some(begin) => self.begin_within(begin),
            None => self.go_on(),
        }
        for place in problems {
            let Some(problem) = self.problem_at(place)? else { continue };
            let (known, (system, field)) = (self.view.ignored(place)?, (place.system, place.field));
            let code = problem.code;
            let what = match &reason {
                Some(reason) => Happening::Ignored { system, field, code, reason: reason.clone() },
                None if known.is_some() => Happening::Heeded { system, field, code },
                None => continue,
            };
            let ignored = reason.clone().map(|reason| Ignored { at: self.now, run: self.run, reason });
            self.ignored.insert(place, ignored);
            self.journal(place.entity, Some(place.record), what);
        }
        Ok(())
    }

    fn problem_at(&self, place: ProblemPlace) -> Result<Option<Problem>, ViewError> {
        let ProblemPlace { entity, record, system, field } = place;
        match field {
            Some(field) => Ok(self.field_problems(entity, record)?.remove(&(system, field))),
            None => self.problem(entity, record, system),
        }
    }

    /// What is ignored is one problem: another one at its place is told of again, and so is the same after it was gone.
    pub fn save_ignored(&mut self) -> Result<Vec<Change>, ViewError> {
        if self.view.ignored_len()? > 0 {
            let of_records = self.problems.keys().map(|at| (at.0, at.1, at.2, None));
            let of_fields = self.field_problems.keys().map(|at| (at.0, at.1, at.2, Some(at.3)));
            let places = of_records.chain(of_fields);
            let places = places.map(|(entity, record, system, field)| ProblemPlace { entity, record, system, field });
            for place in places.collect::<Vec<_>>() {
                if self.ignored.contains_key(&place) || self.view.ignored(place)?.is_none() {
                    continue;
                }
                let was = match place.field {
                    None => self.view.problem(place.entity, place.record, place.system)?,
                    Some(field) => {
                        let rows = self.view.field_problems(place.entity, place.record)?;
                        rows.into_iter()
                            .find(|row| (row.0, row.1) == (place.system, field))
                            .map(|(.., problem)| problem)
                    }
                };
                let stays = self.problem_at(place)?.is_some_and(|is| was.is_some_and(|was| was.is_same(&is)));
                if !stays {
                    self.ignored.insert(place, None);
                }
            }
        }
        let ignored = std::mem::take(&mut self.ignored).into_iter();
        Ok(ignored.map(|(place, ignored)| Change::SetIgnored(place, ignored.map(Box::new))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Clocks, Input, MemoryView, Run, View, step};
    use crate::model::{Ability, EntityId, FieldId, FieldKind, Millis, RecordId, SystemId};
    use crate::rules::{EntitySpec, FieldSpec, Rules};

    fn place(field: Option<FieldId>) -> ProblemPlace {
        ProblemPlace { entity: EntityId(1), record: RecordId([1; 16]), system: SystemId(2), field }
    }

    fn problem(message: &str, since: i64) -> Problem {
        let (code, message) = ("REFUSED".to_owned(), message.to_owned());
        Problem { since: Millis(since), code, message, fields: Vec::new() }
    }

    fn rules() -> Rules {
        let ability = Ability::polled();
        let name = FieldSpec::new("name", FieldKind::Text).at("a", "name").at("b", "name");
        let entity = EntitySpec::new("person").at("a", "people").at("b", "Person").match_by("name").field(name);
        Rules::builder().system("a", ability.clone()).system("b", ability).entity(entity).build().unwrap()
    }

    fn say(view: &mut MemoryView, field: Option<FieldId>, problem: Option<Problem>) {
        let rules = rules();
        let clocks = Clocks { now: Millis(20), offsets: Vec::new() };
        let mut txn = Txn::new(&rules, view, &clocks, crate::engine::Cause::Work).unwrap();
        let ProblemPlace { entity, record, system, .. } = place(field);
        match field {
            Some(field) => txn.set_field_problem((entity, record), (system, field), problem),
            None => txn.set_problem(entity, record, system, problem),
        }
        let changes = txn.finish().unwrap().changes;
        view.apply(&changes);
    }

    fn ignore(view: &mut MemoryView, field: Option<FieldId>, reason: Option<&str>) {
        let (problems, reason) = (vec![place(field)], reason.map(str::to_owned));
        let input = Input::Ignore(Ignore { begin: None, problems, reason });
        let clocks = Clocks { now: Millis(30), offsets: Vec::new() };
        let changes = step(&rules(), view, &clocks, input).unwrap().changes;
        view.apply(&changes);
    }

    #[test]
    fn another_problem_at_its_place_comes_back_and_so_does_the_same_after_it_was_gone() {
        for field in [None, Some(FieldId(3))] {
            let mut view = MemoryView::new();
            let why = |view: &MemoryView| view.ignored(place(field)).unwrap().map(|ignored| ignored.reason);
            ignore(&mut view, field, Some("there is none"));
            assert_eq!(why(&view), None);
            say(&mut view, field, Some(problem("too long", 1)));
            ignore(&mut view, field, Some("known"));
            say(&mut view, field, Some(problem("too long", 2)));
            assert_eq!(why(&view), Some("known".to_owned()), "the same, found again");
            say(&mut view, field, Some(problem("too short", 3)));
            assert_eq!((why(&view), view.ignored_len()), (None, Ok(0)));
            ignore(&mut view, field, Some("known"));
            say(&mut view, field, None);
            say(&mut view, field, Some(problem("too short", 4)));
            assert_eq!(why(&view), None);
            ignore(&mut view, field, Some("known"));
            ignore(&mut view, field, None);
            assert_eq!(why(&view), None);
            let told = view.journal(0, 99).map(|(_, entry)| matches!(entry.what, Happening::Ignored { .. }));
            assert_eq!(told.collect::<Vec<_>>(), [true, true, true, false]);
            assert_eq!(view.meta().unwrap().run, Run(0));
        }
    }
}
