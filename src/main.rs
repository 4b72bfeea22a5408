//! The `syncline` binary: everything it does lives in [`syncline::cli`].

fn main() -> std::process::ExitCode {
    syncline::cli::main()
}
