//! Texts, where they come from, and how their lines map to the file that holds them.

use km_yaml::Mark;

use crate::finding::Place;

/// A text to look at: a file, or what lies inside of one.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) file: String,
    pub(crate) text: String,
    lies: Lies,
}

/// How a text lies in its file.
#[derive(Clone, Debug)]
enum Lies {
    /// It is the file.
    Whole,
    /// Each of its lines is a line of the file, further down and indented.
    Inset { lines_above: usize, indent: usize },
    /// It stands encoded at one place of the file, under this key.
    Encoded { at: Mark, key: String },
}

impl Source {
    pub(crate) fn whole(file: &str, text: &str) -> Self {
        Self { file: file.to_owned(), text: text.to_owned(), lies: Lies::Whole }
    }

    pub(crate) fn inset(&self, text: &str, lines_above: usize, indent: usize) -> Self {
        let lies = match &self.lies {
            Lies::Whole => Lies::Inset { lines_above, indent },
            Lies::Inset { lines_above: outer, indent: outer_indent } => {
                Lies::Inset { lines_above: outer + lines_above, indent: outer_indent + indent }
            }
            Lies::Encoded { at, key } => Lies::Encoded { at: *at, key: key.clone() },
        };
        Self { file: self.file.clone(), text: text.to_owned(), lies }
    }

    pub(crate) fn encoded(&self, text: &str, at: Mark, key: &str) -> Self {
        let lies = match &self.lies {
            Lies::Whole | Lies::Inset { .. } => Lies::Encoded { at: self.mark(at), key: key.to_owned() },
            Lies::Encoded { .. } => self.lies.clone(),
        };
        Self { file: self.file.clone(), text: text.to_owned(), lies }
    }

    /// Whether lines can be edited where they stand.
    pub(crate) const fn is_editable(&self) -> bool {
        !matches!(self.lies, Lies::Encoded { .. })
    }

    /// A place of the text as one of the file.
    pub(crate) fn place(&self, mark: Mark) -> Place {
        let mark = self.mark(mark);
        Place { file: self.file.clone(), line: Some(mark.line), column: Some(mark.column) }
    }

    pub(crate) fn mark(&self, mark: Mark) -> Mark {
        match &self.lies {
            Lies::Whole => mark,
            Lies::Inset { lines_above, indent } => {
                Mark { line: mark.line + lines_above, column: mark.column + indent }
            }
            Lies::Encoded { at, .. } => *at,
        }
    }

    /// What a reader needs in addition to the place: the line in a text that has to be decoded first.
    pub(crate) fn remark(&self, mark: Mark) -> String {
        match &self.lies {
            Lies::Whole | Lies::Inset { .. } => String::new(),
            Lies::Encoded { key, .. } => format!(" (line {} of {key})", mark.line),
        }
    }
}
