//! What every verb is given: its flags, the configuration, the environment, and where results go.

use std::path::PathBuf;

use toml::Value;

use crate::cli::Global;
use crate::config::{Config, ConfigError, Environment, Layers, Source};
use crate::console::Console;
use crate::failure::Failure;

/// The surroundings of a verb.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) environment: Environment,
    pub(crate) layers: Layers,
    pub(crate) console: Console,
}

impl Context {
    /// Reads the configuration as the flags and the environment say.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub(crate) fn new(global: Global, environment: Environment) -> Result<Self, ConfigError> {
        let mut layers = Layers::load(global.config.as_deref(), &environment)?;
        if let Some(data) = &global.data {
            layers.put(
                "data.dir",
                Value::String(data.to_string_lossy().into_owned()),
                Source::Flag("--data"),
            )?;
        }
        let console = Console::new(&global);
        Ok(Self { global, environment, layers, console })
    }

    /// What holds.
    pub(crate) const fn config(&self) -> &Config {
        self.layers.config()
    }

    /// Refuses a server for a verb that works on files.
    ///
    /// # Errors
    /// [`Failure::Usage`].
    pub(crate) fn must_name_data(&self, verb: &str) -> Result<(), Failure> {
        match &self.global.url {
            None => Ok(()),
            Some(_) => {
                let reason =
                    format!("{verb} works on the files themselves: name the data directory with --data");
                Err(Failure::Usage(reason))
            }
        }
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.config().data.dir.clone()
    }
}
