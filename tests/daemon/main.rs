//! The whole job from outside: the built binary against emulated systems, edited by people meanwhile.
#![cfg(feature = "cli")]

mod account;
mod addresses;
mod broken;
mod check;
mod drift;
mod fields;
mod first_link;
mod groups;
mod ignored;
mod kill;
mod life;
mod links;
mod lists;
mod mapping;
mod objects;
mod owners;
mod plan;
mod realistic;
mod references;
mod refusals;
mod replay;
mod review;
mod scope;
mod sensitive;
mod sync;
mod three;
mod ties;
mod world;
