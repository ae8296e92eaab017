//! `nevus completions` and `nevus man`: made from the program's own arguments.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;
use clap_mangen::Man;

use super::Context;
use crate::data::save::write_atomic;
use crate::error::{Error, Result};

/// Flags of `nevus completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Flags of `nevus man`.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write a page for every command into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionsArgs, context: &Context) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "nevus", &mut script);
    context.print_text(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn man(args: &ManArgs, context: &Context) -> Result<ExitCode> {
    let mut command = super::command();
    command.build();
    match &args.out {
        None => context.print_text(&String::from_utf8_lossy(&page(command)?))?,
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
            let count = pages(folder, &command)?;
            context.say(format!("{count} manual pages in {}", folder.display()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn page(command: clap::Command) -> Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page).map_err(Error::io("manual page"))?;
    Ok(page)
}

/// Writes a command's page and those of the commands below it.
fn pages(folder: &Path, command: &clap::Command) -> Result<usize> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let path = folder.join(format!("{name}.1"));
    // clap's own `help` has no page in the folder to refer to.
    let page = page(command.clone().disable_help_subcommand(true))?;
    write_atomic(&path, |out| out.write_all(&page).map_err(Error::io(&path)))?;
    let below = command.get_subcommands().filter(|below| below.get_name() != "help" && !below.is_hide_set());
    below.map(|below| pages(folder, below)).sum::<Result<usize>>().map(|count| count + 1)
}
