//! Entry point: parse, run, exit code.

fn main() -> std::process::ExitCode {
    hearth::cli::main()
}
