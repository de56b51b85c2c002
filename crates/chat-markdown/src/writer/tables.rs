//! The cells of tables.

use std::ops::Range;

use pulldown_cmark::Alignment;

use super::open::Open;
use super::state::Writer;
use crate::run::linked;

impl Writer<'_> {
    /// Writes the cells beyond the last column of the table as text of the last cell.
    pub(super) fn surplus_cells(&mut self, cell: &Range<usize>) {
        if self.column != self.alignments.len() || cell.end >= self.row_end {
            return;
        }
        let rest = self.body[cell.end..self.row_end].trim();
        let rest = rest.strip_prefix('|').unwrap_or(rest);
        let rest = rest.strip_suffix('|').unwrap_or(rest).trim();
        if !rest.is_empty() {
            self.html.text(" | ");
            self.count_text(rest);
            linked(rest, &mut self.html);
        }
    }

    pub(super) fn cell(&mut self) {
        let name = if self.stack.is_in_a_table_head() { "th" } else { "td" };
        let align = match self.alignments.get(self.column) {
            Some(Alignment::Left) => Some("left"),
            Some(Alignment::Center) => Some("center"),
            Some(Alignment::Right) => Some("right"),
            Some(Alignment::None) | None => None,
        };
        self.column += 1;
        match align {
            Some(align) => self.start_directed(name, &[("align", align)]),
            None => self.start_directed(name, &[]),
        }
        self.stack.push(Open::Element(name));
    }
}
