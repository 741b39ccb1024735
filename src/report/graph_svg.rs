//! What waits for what, as one SVG file that needs nothing else.
//!
//! In: the graphs of some clusters. Out: a drawing for each, one below the
//! other: a column for each wave, from what is ready first on the left, arrows
//! from what is first to what waits for it. The same graph gives the same bytes.

use std::fmt::Write as _;

use crate::graph::{Graph, Waves, Why};

use super::graph::{edges, word};

/// The look: follows the reader's light or dark setting.
const STYLE: &str = "\
text{font:12px ui-sans-serif,system-ui,sans-serif;fill:#1f2328}\
.kind{font-size:10px;fill:#656d76}\
.wave{font-size:11px;fill:#656d76}\
.cluster{font-size:15px;font-weight:600}\
rect{fill:#f6f8fa;stroke:#8c959f}\
.never rect{stroke:#cf222e;stroke-width:2}\
.suspended rect{stroke-dasharray:4 3}\
path{fill:none;stroke:#57606a}\
.tip{fill:#57606a;stroke:none}\
.quiet{stroke:#8c959f;stroke-dasharray:4 3}\
@media(prefers-color-scheme:dark){\
text{fill:#e6edf3}.kind,.wave{fill:#8d96a0}\
rect{fill:#161b22;stroke:#6e7681}path{stroke:#8d96a0}.tip{fill:#8d96a0;stroke:none}.quiet{stroke:#6e7681}}";

/// Sizes in pixels.
const MARGIN: usize = 24;
const BOX_HEIGHT: usize = 36;
const ROW: usize = 52;
const GAP: usize = 96;
const HEAD: usize = 56;
/// Wide enough for most letters of the font.
const LETTER: usize = 7;

/// Where an item is drawn.
#[derive(Clone, Copy, Default)]
struct Place {
    x: usize,
    y: usize,
    width: usize,
}

/// The graphs of clusters, by their names.
pub fn svg<'a>(graphs: impl IntoIterator<Item = (&'a str, &'a Graph)>) -> String {
    let mut body = String::new();
    let (mut width, mut height) = (0, MARGIN);
    for (name, graph) in graphs {
        let size = draw(name, graph, height, &mut body);
        width = width.max(size.0);
        height += size.1;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">\n<style>{STYLE}</style>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" \
         markerHeight=\"8\" orient=\"auto\"><path class=\"tip\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n\
         {body}</svg>\n"
    )
}

/// Draws one cluster below `top`; its width and height.
fn draw(name: &str, graph: &Graph, top: usize, out: &mut String) -> (usize, usize) {
    let waves = graph.waves();
    let (places, columns) = layout(graph, &waves, top + HEAD);
    let right = columns.last().map_or(0, |c| c.x + c.width);
    let below = places.iter().map(|p| p.y + BOX_HEIGHT).max().unwrap_or(top);
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "<text class=\"cluster\" x=\"{MARGIN}\" y=\"{}\">{}</text>",
        top + 12,
        escaped(name)
    );
    for (number, column) in columns.iter().enumerate() {
        let title = if number < waves.waves.len() {
            format!("wave {}", number + 1)
        } else {
            "never ready".to_owned()
        };
        let _ = writeln!(
            out,
            "<text class=\"wave\" x=\"{}\" y=\"{}\">{title}</text>",
            column.x,
            top + HEAD - 14
        );
    }
    for edge in edges(graph) {
        let (Some(from), Some(to)) = (places.get(edge.to.0), places.get(edge.from.0)) else {
            continue;
        };
        let class = match edge.why {
            Why::Parent | Why::Source => " class=\"quiet\"",
            _ => "",
        };
        let (x1, y1) = (from.x + from.width, from.y + BOX_HEIGHT / 2);
        let (x2, y2) = (to.x, to.y + BOX_HEIGHT / 2);
        let _ = writeln!(
            out,
            "<path{class} marker-end=\"url(#tip)\" d=\"M{x1} {y1}C{} {y1} {} {y2} {x2} {y2}\">\
             <title>{}</title></path>",
            x1 + GAP / 2,
            x2.saturating_sub(GAP / 2),
            word(edge.why)
        );
    }
    for (number, (item, place)) in graph.items.iter().zip(&places).enumerate() {
        let mut classes = Vec::new();
        if waves.never.contains(&number) {
            classes.push("never");
        }
        if item.suspended {
            classes.push("suspended");
        }
        let class = match classes.as_slice() {
            [] => String::new(),
            classes => format!(" class=\"{}\"", classes.join(" ")),
        };
        let suspended = if item.suspended { " (suspended)" } else { "" };
        let Place { x, y, width } = *place;
        let _ = writeln!(
            out,
            "<g{class}><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BOX_HEIGHT}\" rx=\"6\"/>\
             <text class=\"kind\" x=\"{tx}\" y=\"{}\">{}{suspended}</text>\
             <text x=\"{tx}\" y=\"{}\">{}</text></g>",
            y + 14,
            escaped(&item.id.gvk.kind),
            y + 29,
            escaped(&label(graph, number)),
            tx = x + 8,
        );
    }
    (right + MARGIN, below + 2 * MARGIN - top)
}

/// A place for each item, and the column of each wave; what is never ready is
/// a column of its own.
fn layout(graph: &Graph, waves: &Waves, top: usize) -> (Vec<Place>, Vec<Place>) {
    let mut places = vec![Place::default(); graph.items.len()];
    let mut columns = Vec::new();
    let mut x = MARGIN;
    let never = (!waves.never.is_empty()).then_some(&waves.never);
    for wave in waves.waves.iter().chain(never) {
        let letters = wave
            .iter()
            .map(|item| {
                let kind = graph.item(*item).id.gvk.kind.chars().count();
                label(graph, *item).chars().count().max(kind)
            })
            .max();
        let width = letters.unwrap_or(0) * LETTER + 16;
        for (row, item) in wave.iter().enumerate() {
            if let Some(place) = places.get_mut(*item) {
                *place = Place {
                    x,
                    y: top + row * ROW,
                    width,
                };
            }
        }
        columns.push(Place { x, y: top, width });
        x += width + GAP;
    }
    (places, columns)
}

fn label(graph: &Graph, item: usize) -> String {
    let id = &graph.item(item).id;
    format!("{}/{}", id.namespace, id.name)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
