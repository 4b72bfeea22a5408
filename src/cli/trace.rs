//! Traces on stderr: what `RUST_LOG` says, else what `--verbose` says, else warnings only, and none on a terminal or
//! where a command is `quiet`.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

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
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(ansi).with_writer(std::io::stderr).try_init();
}
