//! Syncline keeps CRMs equal.
#![forbid(unsafe_code)]

#[cfg(feature = "cli")]
pub mod cli;
pub mod codec;
pub mod connector;
#[cfg(feature = "daemon")]
pub mod daemon;
#[cfg(feature = "defects")]
pub mod defects;
pub mod engine;
pub mod merge;
pub mod model;
pub mod rules;
#[cfg(feature = "sandbox")]
pub mod sandbox;
#[cfg(feature = "sim")]
pub mod sim;
pub mod store;

/// Is this planted defect switched on? Only with the feature `defects`, and only in the thread that asked for it.
#[cfg(feature = "defects")]
macro_rules! defect {
    ($name:literal) => {
        $crate::defects::on($name)
    };
}
#[cfg(not(feature = "defects"))]
macro_rules! defect {
    ($name:literal) => {
        false
    };
}
pub(crate) use defect;
