//! The command line: every verb and flag, in the words that `--help` shows.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::findings::Format;

/// A knowledge memory for incident response: one binary, nothing acknowledged is lost.
#[derive(Debug, Parser)]
#[command(name = "km", version, max_term_width = 100, propagate_version = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 findings or refused, 2 usage, 70 the store failed, 75 try again, 130 interrupted.\n\
    First time here? `km demo` shows everything in a minute."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Flags that every verb takes.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Global {
    /// Work on this data directory, without a server
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "url", help_heading = "Global")]
    pub(crate) data: Option<PathBuf>,
    /// Work on the server at this address [variable: KM_URL]
    #[arg(long, global = true, value_name = "URL", help_heading = "Global")]
    pub(crate) url: Option<String>,
    /// The API key for the server [variable: KM_KEY, which other users of the machine cannot see]
    #[arg(long, global = true, value_name = "KEY", help_heading = "Global")]
    pub(crate) key: Option<String>,
    /// Read this configuration file [variable: KM_CONFIG]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global")]
    pub(crate) config: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, global = true, help_heading = "Global")]
    pub(crate) json: bool,
    /// Print results only
    #[arg(long, short, global = true, help_heading = "Global")]
    pub(crate) quiet: bool,
}

/// What `km` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show km in a minute: a server, sample knowledge, alerts, search
    Demo(DemoArgs),
    /// Serve the API on a data directory
    Serve(ServeArgs),
    /// Remember one thing
    Write(WriteArgs),
    /// Remember runbooks, post-mortems (Markdown) and writes (JSONL)
    Import(ImportArgs),
    /// Find what is known
    Search(SearchArgs),
    /// Show an entry, the chain of an incident, or what became of a write
    Show(ShowArgs),
    /// Work what was kept and not applied
    DeadLetters {
        #[command(subcommand)]
        verb: LettersVerb,
    },
    /// Prove that everything acknowledged is there, unchanged
    Verify(VerifyArgs),
    /// Run the reconcilers now
    Reconcile {
        /// One of them (links, sealer, receipts, canary, dead-letters); all when absent
        name: Option<String>,
    },
    /// Make, list and revoke API keys
    Keys {
        #[command(subcommand)]
        verb: KeysVerb,
    },
    /// Show or set how hard writes are tried
    Policy {
        /// The policy from now on, until the server restarts
        policy: Option<PolicyArg>,
    },
    /// How the store is doing
    Status,
    /// Copy the ledger into a file, also beside a running server
    Backup {
        /// The file to make
        to: PathBuf,
    },
    /// Put a backup into an empty data directory
    Restore {
        /// The file that `km backup` made
        from: PathBuf,
    },
    /// Print every applied write as NDJSON, which `km import` reads
    Export {
        /// Write to this file instead
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Build the search index again from the ledger
    Reindex,
    /// Print or check the configuration
    Config {
        #[command(subcommand)]
        verb: ConfigVerb,
    },
    /// Say whether objectives are kept, check their files, make rules of them
    Slo {
        #[command(subcommand)]
        verb: SloVerb,
    },
    /// Check the configuration of Alertmanager
    Alertmanager {
        #[command(subcommand)]
        verb: AlertmanagerVerb,
    },
    /// Look for what would go wrong: disk, lock, configuration, server
    Doctor,
    /// Compare what is deployed with the defaults in the code
    Drift(DriftArgs),
    /// Explain the code of a problem or of a check, such as KM0007 or AM101
    Explain {
        /// The code; all of them when absent
        code: Option<String>,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// `km drift`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 nothing breaks the policy, 1 drift, 2 something required could not be decided, 3 usage.\n\n\
    Examples:\n  km drift --code app/ --deployed k8s/ --policy drift.toml\n  \
    km drift --code app/config.py --deployed compose.yaml .env --workload api\n  \
    km drift --code app/ --deployed chart/values.yaml --map 'config.*=*' --format sarif"
)]
pub(crate) struct DriftArgs {
    /// Python files and folders, or km's own default.toml
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    pub(crate) code: Vec<PathBuf>,
    /// Manifests, compose files, .env files, Helm values, and folders of them
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    pub(crate) deployed: Vec<PathBuf>,
    /// Where imports of the code are looked for [default: the current folder, when the code lies in it]
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// What may differ: TOML or YAML [default: four addresses must match, see `km explain DR001`]
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// A function of the code that reads a variable, and its kind (bool, int, float, str, json, list)
    #[arg(long = "reader", value_name = "NAME=KIND")]
    pub(crate) readers: Vec<String>,
    /// Only this settings class; may be given again
    #[arg(long = "class", value_name = "NAME")]
    pub(crate) classes: Vec<String>,
    /// A path of Helm values and its variable; `env.*=*` takes all below
    #[arg(long = "map", value_name = "PATH=NAME")]
    pub(crate) maps: Vec<String>,
    /// Only this workload or service: KIND/NAME, or NAME
    #[arg(long, value_name = "NAME")]
    pub(crate) workload: Option<String>,
    /// Only this container
    #[arg(long, value_name = "NAME")]
    pub(crate) container: Option<String>,
    /// Do not end with 2 for what could not be decided
    #[arg(long)]
    pub(crate) allow_unknown: bool,
    /// How findings are printed [default: text]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
}

/// `km demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Keep the demo's data in this new directory [default: km-demo-<n>]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Where the server listens; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// End after the tour instead of serving on
    #[arg(long)]
    pub(crate) once: bool,
}

/// `km serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where the server listens; port 0 takes a free one [default: 127.0.0.1:8787]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Accept a file system that forgets; every receipt then says so
    #[arg(long)]
    pub(crate) allow_volatile: bool,
}

/// `km write`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  km write --path incident_resolve --incident INC-1 --title 'Pool exhausted' --content-file fix.md\n  \
    km write write.json\n  other-tool | km write -"
)]
pub(crate) struct WriteArgs {
    /// A file with one write as JSON, or `-` for standard input
    #[arg(value_name = "FILE", required_unless_present = "path", conflicts_with_all = ["path", "title", "content", "content_file"])]
    pub(crate) file: Option<PathBuf>,
    /// Where the write comes from
    #[arg(long, value_enum)]
    pub(crate) path: Option<PathArg>,
    /// The incident
    #[arg(long, value_name = "ID")]
    pub(crate) incident: Option<String>,
    /// The approval
    #[arg(long, value_name = "ID")]
    pub(crate) approval: Option<String>,
    /// The run of an action
    #[arg(long, value_name = "ID")]
    pub(crate) execution: Option<String>,
    /// The playbook
    #[arg(long, value_name = "SLUG")]
    pub(crate) playbook: Option<String>,
    /// One line that says what it is
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// Markdown
    #[arg(long, conflicts_with = "content_file")]
    pub(crate) content: Option<String>,
    /// A file with Markdown, or `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) content_file: Option<PathBuf>,
    /// What kind of knowledge it is (incident_case, runbook, …)
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) entry_type: Option<String>,
    /// A word to filter by; may be given again
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// A name and value to filter by; may be given again
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) labels: Vec<(String, String)>,
    /// When it was so, RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) occurred_at: Option<String>,
    /// The idempotency key [default: derived from what the write is about and says]
    #[arg(long, value_name = "ID")]
    pub(crate) write_id: Option<String>,
}

/// Where a write comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum PathArg {
    /// An incident was resolved
    IncidentResolve,
    /// A person approved
    ApprovalManual,
    /// An automatic approval that went well
    ApprovalAutoOk,
    /// An automatic approval that failed
    ApprovalAutoFail,
    /// A playbook was extracted
    PlaybookExtract,
}

impl PathArg {
    /// The name in the API.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::IncidentResolve => "incident_resolve",
            Self::ApprovalManual => "approval_manual",
            Self::ApprovalAutoOk => "approval_auto_ok",
            Self::ApprovalAutoFail => "approval_auto_fail",
            Self::PlaybookExtract => "playbook_extract",
        }
    }
}

/// `km import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Files and directories (*.md, *.markdown, *.jsonl, *.ndjson); `-` reads writes from standard input
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
}

/// `km search`.
#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// Words, or a whole alert; any of them may match
    #[arg(required = true, value_name = "WORDS")]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) filters: Filters,
    /// How many hits to show
    #[arg(long, short = 'n', default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) limit: u32,
    /// Go on from the cursor of an earlier answer
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
}

/// Conditions that hits must meet.
#[derive(Debug, Default, Args)]
pub(crate) struct Filters {
    /// Only from this path
    #[arg(long, value_enum)]
    pub(crate) path: Option<PathArg>,
    /// Only of this kind
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) entry_type: Option<String>,
    /// Only with this tag; may be given again
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Only with this label; may be given again
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) labels: Vec<(String, String)>,
    /// Only about this incident
    #[arg(long, value_name = "ID")]
    pub(crate) incident: Option<String>,
    /// Only about this approval
    #[arg(long, value_name = "ID")]
    pub(crate) approval: Option<String>,
    /// Only what occurred then or later, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Only what occurred earlier, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) before: Option<String>,
}

/// `km show`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct ShowArgs {
    /// The entry
    #[arg(required = true, value_name = "ENTRY")]
    pub(crate) entry: Option<String>,
    /// Show its revisions too
    #[arg(long)]
    pub(crate) revisions: bool,
    #[command(subcommand)]
    pub(crate) other: Option<ShowVerb>,
}

/// What else can be shown.
#[derive(Debug, Subcommand)]
pub(crate) enum ShowVerb {
    /// The chain of an incident: alerts, entries, approvals, playbooks
    Incident {
        /// The incident
        id: String,
    },
    /// What became of a write
    Write {
        /// The write id
        id: String,
    },
}

/// `km dead-letters`.
#[derive(Debug, Subcommand)]
pub(crate) enum LettersVerb {
    /// List them, the newest first
    List(LetterFilters),
    /// Count them by state, format and reason
    Groups(LetterFilters),
    /// Show one with its payload and history
    Show {
        /// The letter
        id: String,
    },
    /// Try one again, or all that match
    Redrive(RedriveArgs),
    /// Replace what would be applied; the original stays
    Edit {
        /// The letter
        id: String,
        /// A file with the new payload, or `-` for standard input
        #[arg(long, value_name = "FILE")]
        payload: PathBuf,
        /// How to read the new payload
        #[arg(long, default_value = "write")]
        format: String,
    },
    /// Decide that one will not be applied; it stays readable
    Discard {
        /// The letter
        id: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Print all that match as NDJSON, with payload and history
    Export(LetterFilters),
}

/// Which dead letters.
#[derive(Debug, Default, Args)]
pub(crate) struct LetterFilters {
    /// Only in this state (pending, parked, settled, discarded)
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Only of this format (write, alertmanager, generic)
    #[arg(long)]
    pub(crate) format: Option<String>,
    /// Only with this reason code
    #[arg(long)]
    pub(crate) code: Option<String>,
}

/// `km dead-letters redrive`.
#[derive(Debug, Args)]
pub(crate) struct RedriveArgs {
    /// The letter
    #[arg(required_unless_present = "all", value_name = "ID", conflicts_with = "all")]
    pub(crate) id: Option<String>,
    /// All that match the filters
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) filters: LetterFilters,
    /// At most so many a second
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) rate: u32,
    /// Only say how many would be tried
    #[arg(long, requires = "all")]
    pub(crate) dry_run: bool,
}

/// `km verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Receipts that clients kept, one JSON object a line; `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) receipts: Option<PathBuf>,
    /// The tenant of the receipts
    #[arg(long, default_value = "default")]
    pub(crate) tenant: String,
    /// A seal that `km verify` or `/v1/status` showed before: it has to be in the chain still
    #[arg(long, value_name = "HASH")]
    pub(crate) expect_seal: Option<String>,
}

/// `km keys`.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysVerb {
    /// Make a key; it is shown once
    Create {
        /// What it is for
        name: String,
        /// Whose knowledge it reaches
        #[arg(long, default_value = "default")]
        tenant: String,
        /// What it may do (write, read, redrive, admin); may be given again
        #[arg(long = "scope", value_name = "SCOPE", default_values = ["write", "read"])]
        scopes: Vec<String>,
    },
    /// List keys, revoked ones too
    List,
    /// End a key
    Revoke {
        /// The key's id
        id: String,
    },
}

/// The write policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PolicyArg {
    /// 3 tries within 8 s
    Normal,
    /// 1 try within 2 s; the promise is the same
    Emergency,
}

impl PolicyArg {
    /// The name in the API.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Emergency => "emergency",
        }
    }
}

/// `km config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Print what holds, and where each value comes from
    Print,
    /// Check a configuration file
    Check {
        /// The file
        file: PathBuf,
    },
}

/// `km slo`.
#[derive(Debug, Subcommand)]
pub(crate) enum SloVerb {
    /// Ask Prometheus whether objectives are kept
    #[command(after_help = "Exit codes: 0 kept, 1 violated or no data at all, 2 it could not be looked.")]
    Check(SloCheckArgs),
    /// Say what is probably wrong with objectives
    #[command(after_help = "Exit codes: 0 nothing, 1 findings, 2 a file cannot be read.")]
    Lint(SloLintArgs),
    /// Print recording rules, and alerts on how fast the error budgets burn
    Rules(SloRulesArgs),
}

/// `km slo check`.
#[derive(Debug, Args)]
pub(crate) struct SloCheckArgs {
    /// Files and directories with objectives [default: slo.objectives]
    #[arg(value_name = "PATH", conflicts_with = "url")]
    pub(crate) paths: Vec<PathBuf>,
    /// The Prometheus to ask [default: slo.prometheus]
    #[arg(long, value_name = "URL", conflicts_with = "url")]
    pub(crate) prometheus: Option<String>,
}

/// `km slo lint`.
#[derive(Debug, Args)]
pub(crate) struct SloLintArgs {
    /// Files and directories with objectives [default: slo.objectives]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// How findings are printed [default: text]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
}

/// `km slo rules`.
#[derive(Debug, Args)]
pub(crate) struct SloRulesArgs {
    /// Files and directories with objectives [default: slo.objectives]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// What the rules are for
    #[arg(long, value_enum, default_value = "prometheus")]
    pub(crate) format: RulesFormat,
    /// Write to this file instead
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// How rules are wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RulesFormat {
    /// A rule file of Prometheus
    Prometheus,
    /// A PrometheusRule of the Prometheus operator
    Kubernetes,
}

/// `km alertmanager`.
#[derive(Debug, Subcommand)]
pub(crate) enum AlertmanagerVerb {
    /// Read configuration files and say what is wrong with them
    Lint(LintArgs),
    /// Ask a running Alertmanager whom it mutes, and whether it should
    Audit(AuditArgs),
}

/// `km alertmanager lint`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 clean, 1 findings, 2 something cannot be read.\n\
    Examples:\n  km alertmanager lint alertmanager.yml\n  \
    km alertmanager lint alertmanager-secret.yaml --rules manifests/ --external-label cluster=prod\n  \
    km alertmanager lint alertmanager.yml --fix | patch -p0")]
pub(crate) struct LintArgs {
    /// An alertmanager.yml, or a Secret or ConfigMap with one; `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Rule files, PrometheusRule resources, a prometheus.yml for its external labels, or directories of them
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) rules: Vec<PathBuf>,
    /// Alerts that others post: JSON or YAML, a list of label sets or of objects with `labels`
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) alerts: Vec<PathBuf>,
    /// A label that Prometheus adds to every alert; may be given again
    #[arg(long = "external-label", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) external_labels: Vec<(String, String)>,
    /// Prometheus adds no labels but those that are named
    #[arg(long)]
    pub(crate) no_other_external_labels: bool,
    /// The Alertmanager that will read the configuration, such as 0.27
    #[arg(long, value_name = "VERSION")]
    pub(crate) target_version: Option<km_alerts::Version>,
    /// Print a diff that mends what can be mended safely, instead of the findings
    #[arg(long)]
    pub(crate) fix: bool,
    /// How findings are printed [default: text]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
}

/// `km alertmanager audit`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 clean, 1 findings, 2 something cannot be read.\n\
    Examples:\n  km alertmanager audit http://alertmanager:9093\n  \
    km alertmanager audit http://am-0:9093 http://am-1:9093 --scope cluster --scope region --for alertmanager.yml")]
pub(crate) struct AuditArgs {
    /// The addresses of all peers
    #[arg(required = true, value_name = "URL")]
    pub(crate) peers: Vec<String>,
    /// A label that an alert and what inhibits it have to share; may be given again
    #[arg(long, value_name = "LABEL", default_values = ["cluster"])]
    pub(crate) scope: Vec<String>,
    /// A label that every alert has to carry; may be given again
    #[arg(long = "require", value_name = "LABEL", default_values = ["cluster", "severity"])]
    pub(crate) required: Vec<String>,
    /// The configuration that the peers are meant to read: its features are held against their versions
    #[arg(long = "for", value_name = "FILE")]
    pub(crate) configuration: Option<PathBuf>,
    /// A file with the bearer token for the peers
    #[arg(long, value_name = "FILE")]
    pub(crate) bearer_token_file: Option<PathBuf>,
    /// How findings are printed [default: text]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
