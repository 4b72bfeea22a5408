//! Small worlds, completely: every order in which a few things can happen, with every fault at every place.

use super::{Doing, Run};
use crate::sim::rng::Choices;
use crate::sim::world::FIELDS;
use crate::sim::{Options, Report};

/// How small a world is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Edits by people.
    pub edits: usize,
    /// Of so many fields of one record. The first edit is of the first of them: they are alike.
    pub fields: usize,
    /// Things that happen in any order; what is left then happens in the order of time.
    pub plays: usize,
    /// Crashes, lost or refused writes, doubled deliveries: at most so many in a history.
    pub faults: usize,
}

pub(super) struct Small {
    choices: Choices,
    size: Size,
}

/// A step of time between two things that happen: so that some fall into one second, and some do not.
const STEP_MS: i64 = 400;

/// Runs every history of a world of this size; clocks and their steps are the seed's. Whoever is told of them (the choices
/// that lead there, and what came of it) may end it with false.
pub fn every(options: Options, size: Size, mut judge: impl FnMut(&[u32], &Report) -> bool) {
    let mut choices = Choices::default();
    loop {
        let mut run = Run::new(options);
        run.small = Some(Small { choices, size });
        run.small_storm();
        run.heal();
        let Some(small) = run.small else { return };
        choices = small.choices;
        if !judge(&choices.made(), &run.report) || !choices.advance() {
            return;
        }
    }
}

/// Runs the one history of a small world that these choices lead to.
pub fn replay(options: Options, size: Size, made: &[u32]) -> Report {
    let mut run = Run::new(options);
    run.small = Some(Small { choices: Choices::of(made), size });
    run.small_storm();
    run.heal();
    run.report
}

impl Run {
    fn choose(&mut self, n: usize) -> usize {
        self.small.as_mut().map_or(0, |small| small.choices.choose(n))
    }

    /// Which fault happens here, in a small world: 0 = none.
    pub(super) fn fault(&mut self, kinds: usize) -> usize {
        let Some(small) = self.small.as_mut().filter(|small| small.size.faults > 0 && self.storm) else { return 0 };
        let fault = small.choices.choose(kinds + 1);
        small.size.faults -= usize::from(fault > 0);
        fault
    }

    fn small_storm(&mut self) {
        let Some(size) = self.small.as_ref().map(|small| small.size) else { return };
        self.begin(true);
        let sides = self.worlds.len();
        let fields = size.fields.clamp(1, FIELDS);
        for nth in 0..size.edits {
            let side = self.choose(sides);
            let field = if nth == 0 || fields == 1 { 0 } else { self.choose(fields) };
            self.after(0, Doing::Edit { side, field });
        }
        for _ in 0..size.plays {
            let open = self.playable();
            if open.is_empty() || self.broken {
                break;
            }
            let slot = open[self.choose(open.len())];
            self.now += STEP_MS;
            if let Some(doing) = self.doings[slot].take() {
                self.moving -= usize::from(doing.moves());
                self.play(doing);
            }
        }
        self.storm = false;
    }

    /// What may happen next, and would change anything.
    fn playable(&self) -> Vec<usize> {
        let mut edited = false;
        let idle = self.at_rest();
        let under_way = |polled: usize| {
            let is = |doing: &Doing| match doing {
                Doing::Page { side, .. } | Doing::Stream { side, .. } => *side == polled,
                _ => false,
            };
            self.doings.iter().flatten().any(is)
        };
        let mut slots = Vec::new();
        for (slot, doing) in self.doings.iter().enumerate() {
            let Some(doing) = doing else { continue };
            let may = match doing {
                // People's own order is given.
                Doing::Edit { .. } => !std::mem::replace(&mut edited, true),
                Doing::Poll { side } => self.up && !under_way(*side),
                Doing::Tick { life } => self.alive(*life) && !idle,
                Doing::Stream { life, .. }
                | Doing::Page { life, .. }
                | Doing::ReadBack { life, .. }
                | Doing::LookUp { life, .. }
                | Doing::Answered { life, .. } => self.alive(*life),
                Doing::Read { .. } | Doing::Apply { .. } | Doing::Restart => true,
                // Only in histories by chance.
                _ => false,
            };
            if may {
                slots.push(slot);
            }
        }
        slots
    }

    /// Which of a few values a person enters, in a small world: what was there first, or one of two others.
    pub(super) fn small_entry(&mut self) -> Option<i64> {
        self.small.is_some().then(|| [1, 3, 4][self.choose(3)])
    }
}
