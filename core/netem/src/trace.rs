//! Recorded links: Mahimahi traces and tables of delay, loss and rate.
//!
//! Both repeat for ever. The parsers take text, never a file, and answer a malformed line with its number.

use std::fmt;

use crate::{Time, MILLISECOND};

/// The most lines that carry data in one trace.
pub const MAX_LINES: usize = 1_000_000;
/// What one line of a Mahimahi trace can deliver, in bytes.
pub const OPPORTUNITY: u64 = 1500;
/// The longest time in a trace: a day, in microseconds.
const MAX_TIME: Time = 86_400_000 * MILLISECOND;

/// A recorded link.
#[derive(Debug, Clone)]
pub enum Trace {
    /// When packets could be delivered.
    Opportunities(Opportunities),
    /// Delay, loss and rate over time.
    Table(Table),
}

/// Why a trace was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceError {
    /// The line, from 1; 0 if it is the trace as a whole.
    pub line: usize,
    /// What is wrong there.
    pub problem: String,
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.problem),
            line => write!(f, "line {line}: {}", self.problem),
        }
    }
}

impl std::error::Error for TraceError {}

fn refuse<T>(line: usize, problem: impl Into<String>) -> Result<T, TraceError> {
    Err(TraceError { line, problem: problem.into() })
}

/// A piece of a line, short enough for an error message.
fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    if text.chars().nth(40).is_some() {
        short.push_str("...");
    }
    short
}

/// The lines that carry data, with their numbers: not the empty ones, nor those that begin with `#`.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

impl Trace {
    /// Parses the file called `name`: `NAME.csv` is a table, any other a Mahimahi trace.
    pub fn parse(name: &str, text: &str) -> Result<Trace, TraceError> {
        if name.to_ascii_lowercase().ends_with(".csv") {
            Table::parse(text).map(Trace::Table)
        } else {
            Opportunities::parse(text).map(Trace::Opportunities)
        }
    }
}

/// A Mahimahi trace: a line is the time, in whole ms, at which the link can deliver 1,500 bytes.
///
/// Several packets may share an opportunity and one packet may need several; what is not used is gone. The
/// trace begins again when its last line's time has passed.
#[derive(Debug, Clone)]
pub struct Opportunities {
    /// In microseconds, ascending; the last is the period, above 0.
    at: Vec<Time>,
}

impl Opportunities {
    /// Parses a whole file. Refused: a line that is no whole number, a time before the line before, a last time of 0.
    pub fn parse(text: &str) -> Result<Opportunities, TraceError> {
        let mut at: Vec<Time> = Vec::new();
        for (number, line) in lines(text) {
            let Some(time) = line.parse::<u64>().ok().map(|ms| ms.saturating_mul(MILLISECOND)) else {
                return refuse(number, format!("`{}` is not a whole number of milliseconds", shown(line)));
            };
            if time > MAX_TIME {
                return refuse(number, format!("{line} ms is more than a day"));
            }
            if at.last().is_some_and(|&last| time < last) {
                return refuse(number, format!("{line} ms is before the line before it"));
            }
            if at.len() == MAX_LINES {
                return refuse(number, format!("more than {MAX_LINES} lines"));
            }
            at.push(time);
        }
        match at.last() {
            None => refuse(0, "no delivery opportunity in it"),
            Some(0) => refuse(0, "the last time is 0, so the trace never ends"),
            Some(_) => Ok(Opportunities { at }),
        }
    }

    /// The first opportunity at or after `time`, counted from the first of all.
    pub(crate) fn first_from(&self, time: Time) -> u64 {
        let period = self.period();
        let cycle = time.saturating_sub(1) / period;
        let within = time - cycle * period;
        cycle * self.at.len() as u64 + self.at.partition_point(|&at| at < within) as u64
    }

    /// When opportunity `index` is.
    pub(crate) fn time(&self, index: u64) -> Time {
        let count = self.at.len() as u64;
        (index / count).saturating_mul(self.period()).saturating_add(self.at[(index % count) as usize])
    }

    /// Bits a second over a whole period.
    pub(crate) fn mean_rate(&self) -> u64 {
        let bits = self.at.len() as u128 * u128::from(OPPORTUNITY) * 8 * 1_000_000;
        u64::try_from(bits / u128::from(self.period())).unwrap_or(u64::MAX).max(1)
    }

    fn period(&self) -> Time {
        self.at.last().copied().unwrap_or(1)
    }
}

/// A row of a table: what holds from its time until the next row's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Since the first row, in microseconds.
    pub at: Time,
    /// Added to each packet's delay, in microseconds.
    pub delay: u64,
    /// Percent of packets lost, 0..=100.
    pub loss: f64,
    /// Bits a second, 0 for a link that stands still. None: the table has no such column.
    pub rate: Option<u64>,
}

/// A table: comma-separated, its first line naming the columns.
///
/// `time_ms` is required, ascending by at least 1 ms, and counts from the first row; `delay_ms` (0..=60,000),
/// `loss` (percent) and `rate` (kbit/s, 0 or 1..=1,000,000,000) are not, and stand in any order. The last row
/// lasts as long as the one before it; a single row lasts for ever.
#[derive(Debug, Clone)]
pub struct Table {
    rows: Vec<Row>,
    /// In microseconds; `Time::MAX` for a single row.
    period: Time,
}

const COLUMNS: [&str; 4] = ["time_ms", "delay_ms", "loss", "rate"];

impl Table {
    /// Parses a whole file.
    pub fn parse(text: &str) -> Result<Table, TraceError> {
        let mut lines = lines(text);
        let Some((number, head)) = lines.next() else { return refuse(0, "no line of column names in it") };
        let columns = header(number, head)?;
        let mut rows: Vec<Row> = Vec::new();
        let mut first = 0.0;
        for (number, line) in lines {
            let fields = fields(number, line, &columns)?;
            let [time, delay, loss, rate] = fields;
            let time = time.unwrap_or(0.0);
            if rows.is_empty() {
                first = time;
            }
            let at = ((time - first) * MILLISECOND as f64).round();
            let least = rows.last().map_or(0, |last| last.at + MILLISECOND);
            if at < least as f64 {
                return refuse(number, format!("time_ms {time} is not at least 1 ms after the row before"));
            }
            if at > MAX_TIME as f64 {
                return refuse(number, format!("time_ms {time} is more than a day after the first row"));
            }
            if rows.len() == MAX_LINES {
                return refuse(number, format!("more than {MAX_LINES} rows"));
            }
            rows.push(Row {
                at: at as Time,
                delay: (delay.unwrap_or(0.0) * MILLISECOND as f64).round() as u64,
                loss: loss.unwrap_or(0.0),
                rate: rate.map(|kbit| (kbit * 1000.0).round() as u64),
            });
        }
        let period = match rows[..] {
            [] => return refuse(0, "no row of data in it"),
            [_] => Time::MAX,
            [.., before, last] => last.at + (last.at - before.at),
        };
        let table = Table { rows, period };
        match table.mean_rate() {
            Some(mean) if mean < 1000 => refuse(0, "the mean of rate is below 1 kbit/s"),
            _ => Ok(table),
        }
    }

    /// The rows, in order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The row that holds at `time`, and until when.
    pub(crate) fn at(&self, time: Time) -> (&Row, Time) {
        let begin = time - time % self.period;
        let within = time - begin;
        let next = self.rows.partition_point(|row| row.at <= within);
        let end = self.rows.get(next).map_or(self.period, |row| row.at);
        (&self.rows[next.saturating_sub(1)], begin.saturating_add(end))
    }

    /// Bits a second over a whole period; None if the table has no rates.
    pub(crate) fn mean_rate(&self) -> Option<u64> {
        let first = self.rows[0].rate?;
        if self.rows.len() == 1 {
            return Some(first);
        }
        let ends = self.rows.iter().skip(1).map(|row| row.at).chain([self.period]);
        let sent: u128 = self
            .rows
            .iter()
            .zip(ends)
            .map(|(row, end)| u128::from(row.rate.unwrap_or(0)) * u128::from(end - row.at))
            .sum();
        u64::try_from(sent / u128::from(self.period)).ok()
    }
}

/// Which of `COLUMNS` each column is.
fn header(number: usize, head: &str) -> Result<Vec<usize>, TraceError> {
    let mut columns = Vec::new();
    for name in head.split(',').map(str::trim) {
        let Some(column) = COLUMNS.iter().position(|known| *known == name) else {
            return refuse(number, format!("column `{}` is none of {}", shown(name), COLUMNS.join(", ")));
        };
        if columns.contains(&column) {
            return refuse(number, format!("column `{name}` is there twice"));
        }
        columns.push(column);
    }
    if columns.contains(&0) {
        Ok(columns)
    } else {
        refuse(number, "column `time_ms` is missing")
    }
}

/// A row's values in the order of `COLUMNS`.
fn fields(number: usize, line: &str, columns: &[usize]) -> Result<[Option<f64>; 4], TraceError> {
    let mut values = [None; 4];
    let mut found = 0;
    for (index, text) in line.split(',').map(str::trim).enumerate() {
        found += 1;
        let Some(&column) = columns.get(index) else { continue };
        let name = COLUMNS[column];
        let value = match text.parse::<f64>() {
            Ok(value) if value.is_finite() => value,
            _ => return refuse(number, format!("{name} `{}` is not a number", shown(text))),
        };
        let (ok, range) = match name {
            "time_ms" => (value >= 0.0, "at least 0"),
            "delay_ms" => ((0.0..=60_000.0).contains(&value), "0..=60000 ms"),
            "loss" => ((0.0..=100.0).contains(&value), "0..=100 percent"),
            _ => (value == 0.0 || (1.0..=1e9).contains(&value), "0 or 1..=1000000000 kbit/s"),
        };
        if !ok {
            return refuse(number, format!("{name} is {value}, must be {range}"));
        }
        values[column] = Some(value);
    }
    if found == columns.len() {
        Ok(values)
    } else {
        refuse(number, format!("{found} fields, must be {}", columns.len()))
    }
}
