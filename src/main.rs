//! The program; everything it does lies in [`nevus::cli`].

fn main() -> std::process::ExitCode {
    nevus::cli::main()
}
