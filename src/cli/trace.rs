//! Traces on stderr: what `RUST_LOG` says, else what `--verbose` says, else warnings only, and none on a terminal or
//! where a command is `quiet`.

use std::io::IsTerminal;
use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts tracing for this process.
pub(super) fn start(verbose: u8, quiet: bool) {
    let level = match verbose {
        0 if quiet || std::io::stderr().is_terminal() => "off",
        0 => "warn",
        1 => "syncline=info",
        2 => "syncline=debug",
        _ => "trace",
    };
    let asked = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let filter = asked.and_then(|text| text.parse::<EnvFilter>().ok()).unwrap_or_else(|| EnvFilter::new(level));
    let ansi = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // Somebody who embeds the command line may have started tracing already.
    let words = tracing_subscriber::fmt::layer().with_ansi(ansi).with_writer(std::io::stderr);
    let discreet = filter_fn(|about| !carries(about.target()) || *about.level() <= Level::INFO);
    let _ = tracing_subscriber::registry().with(filter).with(discreet).with(words).try_init();
}

/// Does this crate see requests and answers? They hold records, and it knows nothing of that, so it never tells details.
fn carries(target: &str) -> bool {
    let crate_name = target.split("::").next().unwrap_or_default();
    CARRIERS.contains(&crate_name)
}

const CARRIERS: [&str; 6] = ["h2", "hyper", "hyper_util", "reqwest", "rustls", "tower"];
