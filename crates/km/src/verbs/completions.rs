//! `km completions`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::{Cli, Global};
use crate::console::Console;
use crate::failure::{Ending, Failure};

pub(super) fn run(global: &Global, shell: Shell) -> Result<Ending, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "km", &mut script);
    Console::new(global).raw(&script)?;
    Ok(Ending::Done)
}
