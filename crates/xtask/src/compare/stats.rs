//! What several measurements come to.

/// The middle, the least and the most of several measurements.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// `None` of nothing.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            1 => values[middle],
            _ => (values.get(middle.checked_sub(1)?)? + values[middle]) / 2.0,
        };
        Some(Self {
            median,
            least: *values.first()?,
            most: *values.last()?,
        })
    }
}

/// With about three digits, and its thousands apart.
pub fn shown(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => 0,
        value if value < 10.0 => 2,
        value if value < 100.0 => 1,
        _ => 0,
    };
    apart(&format!("{value:.digits$}"))
}

/// A number that is exact, and its thousands apart.
pub fn exact(value: f64) -> String {
    apart(&value.to_string())
}

fn apart(text: &str) -> String {
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut apart = String::new();
    for (index, digit) in whole.char_indices() {
        if index > 0 && (whole.len() - index) % 3 == 0 && !apart.ends_with('-') {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle() {
        for (values, expect) in [
            (&[][..], None),
            (&[3.0], Some([3.0, 3.0, 3.0])),
            (&[4.0, 1.0], Some([2.5, 1.0, 4.0])),
            (&[9.0, 1.0, 2.0], Some([2.0, 1.0, 9.0])),
        ] {
            let spread = Spread::of(values.iter().copied());
            let got = spread.map(|spread| [spread.median, spread.least, spread.most]);
            assert_eq!(got, expect, "{values:?}");
        }
    }

    #[test]
    fn numbers_for_people() {
        for (value, expect) in [
            (0.0, "0"),
            (1.234, "1.23"),
            (12.34, "12.3"),
            (123.4, "123"),
            (1234.0, "1,234"),
            (5_000_000.0, "5,000,000"),
            (-1234.0, "-1,234"),
        ] {
            assert_eq!(shown(value), expect);
        }
        for (value, expect) in [(50.0, "50"), (15_000.0, "15,000"), (1.2, "1.2"), (0.0, "0")] {
            assert_eq!(exact(value), expect);
        }
    }
}
