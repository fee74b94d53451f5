//! NDJSON in: one object a line, fields spelled as they were.

use super::super::format::{missing, taken};
use super::super::input::{Input, MAX_ROW_BYTES};
use super::super::kept::{Kept, text_schema};
use super::super::object::{Cell, Object};
use super::super::{BulkError, Extent, Format, Keep, Place, Settings};
use super::{Complaints, MAX_WINDOW_BYTES, Mark, Opened, Source, Window};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

pub(super) fn open(settings: &Settings) -> Result<Opened, BulkError> {
    let input = Input::open(&settings.input)?;
    let extent = input.total_bytes().map_or(Extent::Unknown, Extent::Bytes);
    let has_fixed_columns = settings.keep == Keep::All && settings.output_format != Format::Ndjson;
    let mut source = NdjsonSource {
        input: BufReader::new(input),
        text: settings.text.clone(),
        vector_column: settings.vector_column.clone(),
        keep: settings.keep.clone(),
        columns: if has_fixed_columns { Columns::OfFirstRow } else { Columns::Free },
        batch_rows: settings.batch_rows,
        complaints: Complaints::new(settings),
        mark: Mark::default(),
        ahead: None,
        sighting: Sighting::new(settings),
    };
    source.ahead = source.read_window()?;
    source.sighting.check(&settings.input)?;
    let schema = match (&settings.keep, &source.columns) {
        (Keep::Columns(names), _) | (Keep::All, Columns::Fixed(names)) => text_schema(names.iter().map(String::as_str)),
        _ => text_schema([]),
    };
    Ok(Opened { source: Box::new(source), schema, extent })
}

/// Which fields a row may have.
enum Columns {
    Free,
    /// The output has fixed columns, and no row was seen yet.
    OfFirstRow,
    Fixed(Vec<String>),
}

struct NdjsonSource {
    input: BufReader<Input>,
    text: String,
    vector_column: String,
    keep: Keep,
    columns: Columns,
    batch_rows: usize,
    complaints: Complaints,
    mark: Mark,
    /// The first window, which is read when the input is opened.
    ahead: Option<Window>,
    sighting: Sighting,
}

impl Source for NdjsonSource {
    fn next(&mut self) -> Result<Option<Window>, BulkError> {
        match self.ahead.take() {
            Some(window) => Ok(Some(window)),
            None => self.read_window(),
        }
    }

    fn seek(&mut self, mark: &Mark) -> Result<(), BulkError> {
        self.ahead = None;
        self.input.seek(SeekFrom::Start(mark.byte)).map_err(BulkError::io(self.complaints.place.clone()))?;
        self.mark = *mark;
        Ok(())
    }
}

impl NdjsonSource {
    fn read_window(&mut self) -> Result<Option<Window>, BulkError> {
        let start = self.mark;
        let mut rows = Vec::new();
        let mut window =
            Window { kept: Kept::Objects(Vec::new()), texts: Vec::new(), complaints: Vec::new(), end: self.mark };
        while rows.len() < self.batch_rows && window.end.byte - start.byte < MAX_WINDOW_BYTES {
            let Some(line) = self.read_line(&mut window.end)? else { break };
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match self.row(&line) {
                Ok((object, text)) => {
                    rows.push(object);
                    window.texts.push(text);
                    window.end.rows += 1;
                }
                Err(why) => self.complaints.about(window.end.line, &why, &mut window)?,
            }
        }
        let is_over = window.end == start;
        self.mark = window.end;
        window.kept = Kept::Objects(rows);
        Ok((!is_over).then_some(window))
    }

    /// The next line; nothing at the end.
    fn read_line(&mut self, end: &mut Mark) -> Result<Option<Vec<u8>>, BulkError> {
        let mut line = Vec::new();
        let read = (&mut self.input).take(MAX_ROW_BYTES).read_until(b'\n', &mut line);
        let n_bytes = read.map_err(BulkError::io(format!("{} cannot be read", self.complaints.place)))?;
        if n_bytes as u64 == MAX_ROW_BYTES && !line.ends_with(b"\n") {
            let message = format!("line {} is longer than {} MiB", end.line + 1, MAX_ROW_BYTES >> 20);
            return Err(BulkError::wrong(format!("{}, {message}; is it NDJSON?", self.complaints.place)));
        }
        if end.byte == 0 && line.starts_with(b"\xEF\xBB\xBF") {
            line.drain(..3);
        }
        end.byte += n_bytes as u64;
        end.line += u64::from(n_bytes > 0);
        Ok((n_bytes > 0).then_some(line))
    }

    fn row(&mut self, line: &[u8]) -> Result<(Object, Option<String>), String> {
        let line = std::str::from_utf8(line).map_err(|_| "not in UTF-8".to_owned())?;
        let object = Object::parse(line)?;
        let text = match object.cell(&self.text) {
            Cell::Nothing => None,
            Cell::Text(text) => Some(text.into_owned()),
            Cell::Other(other) => return Err(format!("{:?} is {other}, not a string", self.text)),
        };
        self.sighting.see(&object);
        let object = self.kept(object)?;
        if object.get(&self.vector_column).is_some() {
            return Err(taken(&self.vector_column));
        }
        Ok((object, text))
    }

    fn kept(&mut self, mut object: Object) -> Result<Object, String> {
        match &self.keep {
            Keep::None => object.0.clear(),
            Keep::Columns(names) => {
                object.0.retain(|(name, _)| names.contains(name));
                object.0.sort_by_key(|(name, _)| names.iter().position(|there| there == name));
            }
            Keep::All => self.check_columns(&object)?,
        }
        Ok(object)
    }

    fn check_columns(&mut self, object: &Object) -> Result<(), String> {
        if matches!(self.columns, Columns::OfFirstRow) {
            self.columns = Columns::Fixed(object.0.iter().map(|(name, _)| name.clone()).collect());
        }
        let Columns::Fixed(names) = &self.columns else { return Ok(()) };
        match object.0.iter().find(|(name, _)| !names.contains(name)) {
            Some((name, _)) => {
                Err(format!("the first row has no field {name:?}; name the columns to write with --keep"))
            }
            None => Ok(()),
        }
    }
}

/// Which of the fields asked for were seen, so that a misspelt one is told at once instead of read as missing everywhere.
struct Sighting {
    /// Names asked for and not seen yet, each with its flag.
    unseen: Vec<(String, &'static str)>,
    of_first_row: Option<Vec<String>>,
}

impl Sighting {
    fn new(settings: &Settings) -> Self {
        let mut unseen = vec![(settings.text.clone(), "--text")];
        if let Keep::Columns(names) = &settings.keep {
            unseen.extend(names.iter().map(|name| (name.clone(), "--keep")));
        }
        Self { unseen, of_first_row: None }
    }

    fn see(&mut self, object: &Object) {
        self.unseen.retain(|(name, _)| object.get(name).is_none());
        self.of_first_row.get_or_insert_with(|| object.0.iter().map(|(name, _)| name.clone()).collect());
    }

    /// # Errors
    /// There were rows, and none had a field that was asked for.
    fn check(&self, place: &Place) -> Result<(), BulkError> {
        match (&self.of_first_row, self.unseen.first()) {
            (Some(names), Some((wanted, flag))) => {
                Err(missing(wanted, flag, &names.iter().map(String::as_str).collect::<Vec<_>>(), place))
            }
            _ => Ok(()),
        }
    }
}
