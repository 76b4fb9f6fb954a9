//! What a session may name: path prefixes, as its token granted them.

use std::fmt;

use bytes::Bytes;
use cc_wire::{Namespace, TrackName};

/// The most grants of a scope.
pub const MAX_GRANTS: usize = 64;
/// The most fields of a grant: 32 of a namespace, and a name.
const MAX_FIELDS: usize = 33;
/// The most bytes of a grant's fields together: a full track name's.
const MAX_BYTES: usize = 4096;

/// A prefix of a track's path, which is its namespace's fields followed by its name. Without
/// fields it covers everything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant(Vec<Bytes>);

/// How far a scope reaches over a namespace prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Every track under the prefix is allowed.
    Whole,
    /// Some names under the prefix are allowed, others not.
    Part,
    /// No track under the prefix is allowed.
    None,
}

/// A list of grants that is not a scope. `line` counts from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeError {
    /// More than [`MAX_GRANTS`].
    TooManyGrants,
    /// More than 33 fields, or 4096 bytes.
    TooLong {
        /// Which grant.
        line: usize,
    },
    /// Nothing before, between or after slashes.
    EmptyField {
        /// Which grant.
        line: usize,
    },
    /// A `%` without two hexadecimal digits.
    BadEscape {
        /// Which grant.
        line: usize,
    },
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyGrants => write!(f, "a scope has at most {MAX_GRANTS} grants"),
            Self::TooLong { line } => {
                write!(f, "grant {line} has more than {MAX_FIELDS} fields or {MAX_BYTES} bytes")
            }
            Self::EmptyField { line } => {
                write!(f, "grant {line} has an empty field; write a/b/c, or / for everything")
            }
            Self::BadEscape { line } => {
                write!(f, "grant {line} has a % without two hexadecimal digits; write %25 for %")
            }
        }
    }
}

impl std::error::Error for ScopeError {}

/// Path prefixes that a session may use. The default allows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    grants: Vec<Grant>,
}

impl Grant {
    /// A grant of these fields, which may hold any bytes; `None` if empty ones are among them, or
    /// more than 33 fields or 4096 bytes.
    pub fn new(fields: Vec<Bytes>) -> Option<Self> {
        let bytes: usize = fields.iter().map(Bytes::len).sum();
        let fits = fields.len() <= MAX_FIELDS && bytes <= MAX_BYTES;
        (fits && fields.iter().all(|field| !field.is_empty())).then_some(Self(fields))
    }

    /// The fields of the prefix.
    pub fn fields(&self) -> &[Bytes] {
        &self.0
    }
}

impl Scope {
    /// The scope that allows everything.
    pub fn everything() -> Self {
        Self { grants: vec![Grant(Vec::new())] }
    }

    /// A scope of these grants, at most [`MAX_GRANTS`].
    pub fn new(grants: Vec<Grant>) -> Result<Self, ScopeError> {
        if grants.len() > MAX_GRANTS {
            return Err(ScopeError::TooManyGrants);
        }
        Ok(Self { grants })
    }

    /// A scope from lines, a grant each: fields with `/` between them, written as in
    /// [`Namespace::parse`], or `/` alone for everything. Empty lines are passed over.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let mut grants = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line_number = number + 1;
            if line.is_empty() {
                continue;
            }
            if grants.len() == MAX_GRANTS {
                return Err(ScopeError::TooManyGrants);
            }
            if line == "/" {
                grants.push(Grant(Vec::new()));
                continue;
            }
            if line.split('/').count() > MAX_FIELDS {
                return Err(ScopeError::TooLong { line: line_number });
            }
            let mut fields = Vec::new();
            for field in line.split('/') {
                if field.is_empty() {
                    return Err(ScopeError::EmptyField { line: line_number });
                }
                let field = Namespace::parse(field).map_err(|error| match error {
                    cc_wire::Error::TooLong { .. } => ScopeError::TooLong { line: line_number },
                    _ => ScopeError::BadEscape { line: line_number },
                })?;
                fields.extend(field.fields().iter().cloned());
            }
            grants.push(Grant::new(fields).ok_or(ScopeError::TooLong { line: line_number })?);
        }
        Ok(Self { grants })
    }

    /// The grants, in the order given.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// Whether a track of this full name is allowed.
    pub fn allows_track(&self, track: &TrackName) -> bool {
        self.grants.iter().any(|grant| {
            let mut path = track.namespace.fields().iter().chain(std::iter::once(&track.name));
            grant.0.iter().all(|field| path.next() == Some(field))
        })
    }

    /// How far the scope reaches over the tracks under a namespace prefix.
    pub fn allows_prefix(&self, prefix: &Namespace) -> Coverage {
        let fields = prefix.fields();
        if self.grants.iter().any(|grant| fields.starts_with(&grant.0)) {
            Coverage::Whole
        } else if self.grants.iter().any(|grant| grant.0.starts_with(fields)) {
            Coverage::Part
        } else {
            Coverage::None
        }
    }
}
