//! The `hud` binary: everything it does is in the library.

fn main() -> std::process::ExitCode {
    hud::cli::main()
}
