//! A segment: its row and columns, which documents are dead, and making one from documents.

use foldhash::{HashMap, HashMapExt};
use km_search::Analyzer;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Document;
use super::codec::{PostingsWriter, checksum, numbers, seal, unseal};
use super::dictionary::DictionaryWriter;
use super::error::{SearchError, damaged};
use super::fields::{
    FIELDS, Field, Frequencies, Property, document_names, document_properties, name_term, text_terms,
};

/// A fixed-size value of every document of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// One byte: the length's code.
    Lengths,
    /// Eight bytes: the position in the ledger.
    Positions,
    /// Eight bytes: when it occurred.
    Times,
    /// Eight bytes: the document's number.
    Numbers,
}

impl Column {
    /// Every column.
    pub(super) const ALL: [Self; 4] = [Self::Lengths, Self::Positions, Self::Times, Self::Numbers];

    const fn name(self) -> &'static str {
        match self {
            Self::Lengths => "lengths",
            Self::Positions => "positions",
            Self::Times => "times",
            Self::Numbers => "numbers",
        }
    }

    /// Bytes of one value.
    pub(super) const fn width(self) -> usize {
        match self {
            Self::Lengths => 1,
            Self::Positions | Self::Times | Self::Numbers => 8,
        }
    }

    /// Reads the column of a segment.
    pub(super) fn load(self, connection: &Connection, segment: &Segment) -> Result<Vec<u8>, SearchError> {
        let mut select =
            connection.prepare_cached("SELECT data FROM segment_column WHERE segment = ?1 AND name = ?2")?;
        let sealed = select.query_row(params![segment.id, self.name()], |row| row.get(0)).optional()?;
        let data = unseal(sealed.ok_or(damaged("a column is missing"))?)?;
        let fits = data.len() == segment.documents as usize * self.width();
        fits.then_some(data).ok_or(damaged("a column does not fit its segment"))
    }

    pub(super) fn store(self, connection: &Connection, segment: i64, data: &[u8]) -> Result<(), SearchError> {
        connection
            .prepare_cached("INSERT INTO segment_column (segment, name, data) VALUES (?1, ?2, ?3)")?
            .execute(params![segment, self.name(), seal(data)])?;
        Ok(())
    }
}

/// The row of a segment.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) id: i64,
    pub(super) tenant: i64,
    pub(super) first_number: i64,
    pub(super) last_number: i64,
    /// How many documents, dead ones included.
    pub(super) documents: u32,
    pub(super) length_total: i64,
    pub(super) position_max: i64,
    pub(super) dead_count: u32,
    /// One bit for each document, set for the dead; empty when none is.
    pub(super) dead: Vec<u8>,
}

impl Segment {
    /// Every segment of a tenant, in the order of their documents' numbers.
    pub(super) fn of_tenant(connection: &Connection, tenant: i64) -> Result<Vec<Self>, SearchError> {
        let mut select = connection.prepare_cached(
            "SELECT id, tenant, first_number, last_number, document_count, length_total, position_max,
                 dead_count, dead, checksum
             FROM segment WHERE tenant = ?1 ORDER BY first_number",
        )?;
        let mut rows = select.query([tenant])?;
        let mut segments = Vec::new();
        while let Some(row) = rows.next()? {
            segments.push(Self::read(row)?);
        }
        Ok(segments)
    }

    fn read(row: &Row<'_>) -> Result<Self, SearchError> {
        let segment = Self {
            id: row.get(0)?,
            tenant: row.get(1)?,
            first_number: row.get(2)?,
            last_number: row.get(3)?,
            documents: row.get(4)?,
            length_total: row.get(5)?,
            position_max: row.get(6)?,
            dead_count: row.get(7)?,
            dead: row.get(8)?,
        };
        let sum: u32 = row.get(9)?;
        if sum == segment.checksum() {
            Ok(segment)
        } else {
            Err(damaged("a segment is not as it was written"))
        }
    }

    fn checksum(&self) -> u32 {
        let counts = [self.tenant, self.first_number, self.last_number, self.length_total, self.position_max];
        let mut bytes: Vec<u8> = counts.into_iter().flat_map(i64::to_le_bytes).collect();
        bytes.extend([self.documents, self.dead_count].into_iter().flat_map(u32::to_le_bytes));
        bytes.extend(&self.dead);
        checksum(&bytes)
    }

    /// Writes the row; the id is given by the database.
    pub(super) fn insert(&self, connection: &Connection) -> Result<i64, SearchError> {
        let mut insert = connection.prepare_cached(
            "INSERT INTO segment
             (tenant, first_number, last_number, document_count, length_total, position_max, dead_count, dead,
                 checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        Ok(insert.insert(params![
            self.tenant,
            self.first_number,
            self.last_number,
            self.documents,
            self.length_total,
            self.position_max,
            self.dead_count,
            self.dead,
            self.checksum(),
        ])?)
    }

    /// How many documents are not dead.
    pub(super) fn living(&self) -> u32 {
        self.documents.saturating_sub(self.dead_count)
    }

    /// Whether the document at `ordinal` was replaced.
    pub(super) fn is_dead(&self, ordinal: u32) -> bool {
        self.dead.get(ordinal as usize / 8).is_some_and(|byte| byte >> (ordinal % 8) & 1 == 1)
    }

    /// Whether every number between the first and the last is here, so that ordinals follow from numbers.
    fn is_dense(&self) -> bool {
        self.last_number - self.first_number + 1 == i64::from(self.documents)
    }

    /// The number of the document at each of `ordinals`.
    pub(super) fn numbers(&self, connection: &Connection, ordinals: &[u32]) -> Result<Vec<i64>, SearchError> {
        if self.is_dense() {
            return Ok(ordinals.iter().map(|&ordinal| self.first_number + i64::from(ordinal)).collect());
        }
        let column = Column::Numbers.load(connection, self)?;
        let all: Vec<i64> = numbers(&column).collect();
        let number =
            |&ordinal: &u32| all.get(ordinal as usize).copied().ok_or(damaged("an ordinal is too high"));
        ordinals.iter().map(number).collect()
    }

    /// Marks the documents with these numbers dead.
    pub(super) fn bury(&mut self, connection: &Connection, dead: &[i64]) -> Result<(), SearchError> {
        self.dead.resize((self.documents as usize).div_ceil(8), 0);
        let column = if self.is_dense() { None } else { Some(Column::Numbers.load(connection, self)?) };
        let all: Option<Vec<i64>> = column.map(|column| numbers(&column).collect());
        for number in dead {
            let ordinal = match &all {
                None => usize::try_from(number - self.first_number).ok(),
                Some(all) => all.binary_search(number).ok(),
            };
            let ordinal = ordinal.ok_or(damaged("an entry's document is missing"))?;
            let byte = self.dead.get_mut(ordinal / 8).ok_or(damaged("an entry's document is missing"))?;
            *byte |= 1 << (ordinal % 8);
        }
        self.dead_count = self.dead.iter().map(|byte| byte.count_ones()).sum();
        connection
            .prepare_cached("UPDATE segment SET dead_count = ?2, dead = ?3, checksum = ?4 WHERE id = ?1")?
            .execute(params![self.id, self.dead_count, self.dead, self.checksum()])?;
        Ok(())
    }
}

/// Makes a segment of documents, in memory.
pub(super) struct SegmentBuilder {
    terms: HashMap<Box<[u8]>, usize>,
    gathered: Vec<Gathered>,
    /// The terms of the document at hand, each once.
    touched: Vec<usize>,
    columns: [Vec<u8>; 4],
    length_total: i64,
    position_max: i64,
    documents: u32,
    first_number: i64,
}

/// What is known of one term.
#[derive(Default)]
struct Gathered {
    postings: PostingsWriter,
    /// Its frequencies in the document at hand.
    current: Frequencies,
}

impl SegmentBuilder {
    /// A segment whose first document has this number.
    pub(super) fn new(first_number: i64) -> Self {
        Self {
            terms: HashMap::new(),
            gathered: Vec::new(),
            touched: Vec::new(),
            columns: Default::default(),
            length_total: 0,
            position_max: i64::MIN,
            documents: 0,
            first_number,
        }
    }

    /// Adds a document.
    pub(super) fn add(&mut self, analyzer: &mut Analyzer, document: &Document<'_>) {
        let length = text_terms(analyzer, document, |term, field| self.count(term, field));
        let properties = document_properties(document).map(Property::term);
        let names = document_names(document).map(|name| name_term(&name));
        for term in properties.chain(names) {
            let gathered = self.touch(&term);
            self.gathered[gathered].current[Field::Content as usize] = 1;
        }
        for term in self.touched.drain(..) {
            let gathered = &mut self.gathered[term];
            gathered.postings.push(self.documents, gathered.current);
            gathered.current = [0; FIELDS];
        }
        let number = self.first_number + i64::from(self.documents);
        let [lengths, positions, times, numbers] = &mut self.columns;
        lengths.push(length.0);
        positions.extend_from_slice(&document.position.to_le_bytes());
        times.extend_from_slice(&document.occurred_at.to_le_bytes());
        numbers.extend_from_slice(&number.to_le_bytes());
        self.length_total += rounded(length.length());
        self.position_max = self.position_max.max(document.position);
        self.documents += 1;
    }

    fn count(&mut self, term: &[u8], field: Field) {
        let gathered = self.touch(term);
        let frequency = &mut self.gathered[gathered].current[field as usize];
        *frequency = frequency.saturating_add(1);
    }

    /// The place of a term, noted as one of the document at hand.
    fn touch(&mut self, term: &[u8]) -> usize {
        let place = match self.terms.get(term) {
            Some(&place) => place,
            None => {
                self.gathered.push(Gathered::default());
                self.terms.insert(term.into(), self.gathered.len() - 1);
                self.gathered.len() - 1
            }
        };
        if self.gathered[place].current == [0; FIELDS] {
            self.touched.push(place);
        }
        place
    }

    /// Writes the segment of a tenant.
    pub(super) fn write(&self, connection: &Connection, tenant: i64) -> Result<(), SearchError> {
        let row = Segment {
            id: 0,
            tenant,
            first_number: self.first_number,
            last_number: self.first_number + i64::from(self.documents) - 1,
            documents: self.documents,
            length_total: self.length_total,
            position_max: self.position_max,
            dead_count: 0,
            dead: Vec::new(),
        };
        let segment = row.insert(connection)?;
        for (column, data) in Column::ALL.into_iter().zip(&self.columns) {
            column.store(connection, segment, data)?;
        }
        let mut terms: Vec<(&[u8], usize)> =
            self.terms.iter().map(|(term, &place)| (&**term, place)).collect();
        terms.sort_unstable();
        let mut dictionary = DictionaryWriter::new(connection, segment);
        for (term, place) in terms {
            dictionary.push(term, self.gathered[place].postings.listed())?;
        }
        dictionary.finish()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the conversion saturates")]
pub(super) fn rounded(length: f32) -> i64 {
    length.round() as i64
}
