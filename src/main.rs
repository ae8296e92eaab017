//! The program; everything it does lies in [`nevus::cli`].

fn main() -> std::process::ExitCode {
    // SAFETY: no other thread has been started.
    unsafe { nevus::gpu::environment::prepare() };
    nevus::cli::main()
}
