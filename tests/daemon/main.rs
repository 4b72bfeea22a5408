//! The whole job from outside: the built binary against emulated systems, edited by people meanwhile.
#![cfg(feature = "cli")]

mod first_link;
mod kill;
mod plan;
mod refusals;
mod sync;
mod world;
