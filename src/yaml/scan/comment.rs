//! Comments, and which token each of them belongs to.
//!
//! Compat: `scannerc.go` of go-yaml v3, `yaml_parser_scan_comments` and
//! `yaml_parser_scan_line_comment`. Lines of comments that follow each other
//! are read as one run, which falls into pieces where the indentation or an
//! empty line says that one piece ends what stands before it (a foot) and the
//! next one begins what follows (a head).

use super::{Kind, Mark, Scanner, Version};

/// Where a comment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::yaml) enum Sort {
    /// Above what it belongs to.
    Head,
    /// Behind it.
    Line,
    /// Below it.
    Foot,
}

/// A comment that no token has taken yet.
#[derive(Debug)]
pub(super) struct Comment {
    pub(super) sort: Sort,
    /// Its lines, each with its `#`; empty ones are kept between them.
    pub(super) text: String,
    /// It belongs to the first token that begins here or later.
    pub(super) at: u32,
    pub(super) start: Mark,
    /// The offset behind it.
    pub(super) end: u32,
    /// The offset behind what precedes it.
    pub(super) scanned_from: u32,
}

/// How many blanks and empty lines are looked over for the next comment line.
const REACH: usize = 512;

/// A run of comment lines that is being read.
struct Run {
    text: String,
    start: Mark,
    scanned_from: u32,
}

impl Scanner<'_> {
    /// Takes a comment behind the token just read, on its line.
    pub(super) fn line_comment(&mut self, at: Mark) {
        if self.version == Version::V2 || self.cursor.breaks > 0 {
            return;
        }
        let blanks = (0..REACH)
            .find(|n| !matches!(self.cursor.byte_at(*n), b' ' | b'\t'))
            .unwrap_or(REACH);
        if self.cursor.byte_at(blanks) != b'#' || blanks == REACH {
            return;
        }
        self.cursor.skip_blanks(true);
        let start = self.cursor.mark();
        let text = self.cursor.skip_line().to_owned();
        self.comments.push_back(Comment {
            sort: Sort::Line,
            text,
            at: at.offset,
            start,
            end: 0,
            scanned_from: 0,
        });
    }

    /// Lets the comment behind the first `- ` of a sequence stand above what
    /// the item holds, when that begins on a later line.
    pub(super) fn raise_comment(&mut self) {
        if self.recent[0].0 != Kind::Item
            || self.recent[1].0 != Kind::SequenceStart
            || self.cursor.is_break()
        {
            return;
        }
        let mark = self.cursor.mark();
        if let Some(comment) = self.comments.back_mut()
            && comment.sort == Sort::Line
        {
            comment.sort = Sort::Head;
            if comment.start.line + 1 == mark.line {
                comment.at = mark.offset;
            }
        }
    }

    /// Reads the comment that begins here, and those on the lines below it;
    /// `before` is the place behind the last token.
    pub(super) fn scan_comments(&mut self, before: Mark) {
        let owner = match self.recent {
            [(Kind::Comma, _), owner] | [owner, _] => owner,
        };
        let mut indent = self.indent.max(0);
        let here = self.cursor.mark();
        // A comment on this line still belongs to what stands before it: the
        // line below that, or two below if that shares its line.
        let foot_line = if before.line > 0 {
            let shares_line = self.cursor.breaks == 0 && here.column > 1;
            Some(i64::from(here.line) - i64::from(self.cursor.breaks) + 1 + i64::from(shares_line))
        } else {
            None
        };
        let mut may_be_foot = self.cursor.breaks <= 1;
        let mut after_empty_line = false;
        let mut owned_at = owner.1.offset;
        let mut run = Run {
            text: String::new(),
            start: Mark::default(),
            scanned_from: before.offset,
        };
        let mut line = here.line;
        // One more than the column of the byte that is looked at.
        let mut column = i64::from(here.column);
        let mut ahead = 0;
        while ahead < REACH {
            column += 1;
            let byte = self.cursor.byte_at(ahead);
            if matches!(byte, b' ' | b'\t') {
                ahead += 1;
                continue;
            }
            let offset = here_offset(self.cursor.offset(), ahead);
            let closes = self.in_flow() && matches!(byte, b']' | b'}');
            let run_column = i64::from(run.start.column);
            if closes || self.cursor.ends_line_at(ahead) {
                // An empty line, a closing bracket or the end.
                if closes || !after_empty_line {
                    let dedented = run_column < indent;
                    let is_foot = (Some(i64::from(run.start.line)) == foot_line
                        && owner.0 != Kind::Value)
                        || dedented;
                    if closes || (may_be_foot && is_foot) {
                        if !run.text.is_empty() {
                            let at = if dedented { run.start.offset } else { owned_at };
                            self.end_run(&mut run, Sort::Foot, at, offset);
                            owned_at = offset;
                        }
                    } else if !run.text.is_empty() && byte != 0 {
                        run.text.push('\n');
                    }
                }
                if closes || byte == 0 {
                    break;
                }
                may_be_foot = false;
                after_empty_line = true;
                column = 0;
                line += 1;
                ahead += 1;
                continue;
            }
            if !run.text.is_empty() && column - 1 < indent && column - 1 != run_column {
                // Another indentation: what was read belongs to what stands
                // before it.
                self.end_run(&mut run, Sort::Foot, owned_at, offset);
                owned_at = offset;
            }
            if byte != b'#' {
                break;
            }
            if run.text.is_empty() {
                run.start = Mark {
                    offset,
                    line,
                    column: u32::try_from(column - 1).unwrap_or(0),
                };
            } else {
                run.text.push('\n');
            }
            after_empty_line = false;
            self.skip_over(ahead);
            run.text.push_str(self.cursor.skip_line());
            // Compat: the look ahead goes on behind the first byte of the line
            // break, so that CR LF counts as an empty line.
            ahead = 1;
            column = 0;
            line = self.cursor.line();
            indent = self.indent.max(0);
        }
        if !run.text.is_empty() {
            let end = here_offset(self.cursor.offset(), ahead).saturating_sub(1);
            let at = run.start.offset;
            self.end_run(&mut run, Sort::Head, at, end);
        }
    }

    fn end_run(&mut self, run: &mut Run, sort: Sort, at: u32, end: u32) {
        self.comments.push_back(Comment {
            sort,
            text: std::mem::take(&mut run.text),
            at,
            start: run.start,
            end,
            scanned_from: run.scanned_from,
        });
        run.scanned_from = end;
    }

    /// Passes blanks and line breaks up to the `#` that is `n` bytes further
    /// on.
    fn skip_over(&mut self, n: usize) {
        let target = self.cursor.offset() + n;
        while self.cursor.offset() < target {
            if self.cursor.is_break() {
                self.cursor.skip_break();
            } else {
                self.cursor.skip();
            }
        }
    }
}

fn here_offset(offset: usize, ahead: usize) -> u32 {
    u32::try_from(offset + ahead).unwrap_or(u32::MAX)
}
