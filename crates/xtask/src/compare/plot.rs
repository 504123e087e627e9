//! The figures as a picture (SVG).

use super::contender::Contender;
use super::fanout::{CPU, Fanout, MEMORY, P99, Pace, RATE};
use super::stats::{exact, shown};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// In pixels: a panel with its margins, room for names, a bar's height.
const PANEL: f64 = 460.0;
const NAMES: f64 = 190.0;
const BAR: f64 = 9.0;
const GAP: f64 = 8.0;
const HEAD: f64 = 46.0;
/// Light to dark: the more subscribers, the darker.
const SHADES: [&str; 5] = ["#9ecae1", "#4292c6", "#08519c", "#08306b", "#041c40"];

/// What a panel shows.
struct Panel {
    title: &'static str,
    pace: Pace,
    pointer: &'static str,
    /// What one unit of the figure is in the title's.
    scale: f64,
}

const PANELS: [Panel; 4] = [
    Panel {
        title: "Processor time per delivery, paced, µs (less is better)",
        pace: Pace::Paced,
        pointer: CPU,
        scale: 1.0,
    },
    Panel {
        title: "p99 from publish to receipt, paced, ms (less is better)",
        pace: Pace::Paced,
        pointer: P99,
        scale: 1.0,
    },
    Panel {
        title: "Deliveries/s, saturated, thousands (more is better)",
        pace: Pace::Saturated,
        pointer: RATE,
        scale: 1e-3,
    },
    Panel {
        title: "Memory per idle subscriber, KiB (less is better)",
        pace: Pace::Paced,
        pointer: MEMORY,
        scale: 1.0 / 1024.0,
    },
];

/// Two rows of two panels, each with the bars of all contenders.
pub fn plot(contenders: &[Contender], fanout: &Fanout) -> String {
    let numbers: BTreeSet<u64> = fanout.connections().collect();
    let numbers: Vec<u64> = numbers.into_iter().collect();
    let group = numbers.len() as f64 * BAR + GAP;
    let height = HEAD + contenders.len() as f64 * group + GAP;
    let (width, whole) = (2.0 * PANEL, 2.0 * height + HEAD);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {whole}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{width}\" height=\"{whole}\" fill=\"#ffffff\"/>\n"
    );
    for (index, panel) in PANELS.iter().enumerate() {
        let (x, y) = ((index % 2) as f64 * PANEL, (index / 2) as f64 * height);
        let _ = writeln!(svg, "<g transform=\"translate({x} {y})\">");
        panel.draw(&mut svg, contenders, fanout, &numbers);
        svg.push_str("</g>\n");
    }
    legend(&mut svg, &numbers, whole - HEAD / 2.0);
    svg.push_str("</svg>\n");
    svg
}

impl Panel {
    fn draw(&self, svg: &mut String, contenders: &[Contender], fanout: &Fanout, numbers: &[u64]) {
        let value = |contender: &Contender, number: u64| {
            let figure = fanout.figure((contender.key, number, self.pace), self.pointer);
            figure.map(|figure| figure.median * self.scale)
        };
        let all = contenders.iter().flat_map(|contender| {
            numbers
                .iter()
                .filter_map(|number| value(contender, *number))
        });
        let most = all.fold(f64::MIN_POSITIVE, f64::max);
        let room = PANEL - NAMES - 60.0;
        let title = escaped(self.title);
        let _ = writeln!(
            svg,
            "<text x=\"12\" y=\"26\" font-size=\"13\" font-weight=\"bold\">{title}</text>"
        );
        let mut y = HEAD;
        for contender in contenders {
            let middle = y + numbers.len() as f64 * BAR / 2.0 + 4.0;
            let name = escaped(&contender.name.replace('`', ""));
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{name}</text>",
                NAMES - 8.0
            );
            for (index, number) in numbers.iter().enumerate() {
                if let Some(value) = value(contender, *number) {
                    let length = (value / most * room).max(0.5);
                    bar(svg, y, length, shade(index, numbers.len()), value);
                }
                y += BAR;
            }
            y += GAP;
        }
    }
}

fn bar(svg: &mut String, y: f64, length: f64, shade: &str, value: f64) {
    let _ = writeln!(
        svg,
        "<rect x=\"{NAMES}\" y=\"{y}\" width=\"{length:.1}\" height=\"{}\" fill=\"{shade}\"/>\
         <text x=\"{:.1}\" y=\"{}\" font-size=\"9\">{}</text>",
        BAR - 1.0,
        NAMES + length + 4.0,
        y + BAR - 1.5,
        shown(value)
    );
}

fn legend(svg: &mut String, numbers: &[u64], y: f64) {
    for (index, number) in numbers.iter().enumerate() {
        let x = NAMES + index as f64 * 150.0;
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{}\" width=\"10\" height=\"10\" fill=\"{}\"/>\
             <text x=\"{}\" y=\"{y}\">{} subscribers</text>",
            y - 9.0,
            shade(index, numbers.len()),
            x + 16.0,
            exact(*number as f64)
        );
    }
}

/// One number alone gets the middle one.
fn shade(index: usize, numbers: usize) -> &'static str {
    match numbers {
        1 => SHADES[1],
        _ => SHADES[index % SHADES.len()],
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
