//! Sizes on the command line.

use std::fmt;
use std::str::FromStr;

/// `HEIGHTxWIDTH` in pixels, each 1 to 65,536.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeArg {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl FromStr for SizeArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (height, width) = text
            .split_once(['x', 'X', '×'])
            .ok_or_else(|| "expected HEIGHTxWIDTH in pixels, such as 192x256".to_owned())?;
        Ok(Self { height: side("height", height)?, width: side("width", width)? })
    }
}

fn side(what: &str, text: &str) -> Result<usize, String> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let value = text.parse().ok().filter(|v| digits && (1..=1 << 16).contains(v));
    value.ok_or_else(|| format!("the {what} is {text:?}, expected 1 to 65536"))
}

impl fmt::Display for SizeArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.height, self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn height_comes_first() {
        for text in ["450x600", "450X600", "450×600"] {
            assert_eq!(text.parse(), Ok(SizeArg { height: 450, width: 600 }));
        }
        for text in
            ["", "450", "0x0", "x", "1x", "-1x5", "+1x5", "1x99999999", "1x2x3", "1 x 2", "1x99999999999999999999"]
        {
            assert!(text.parse::<SizeArg>().is_err(), "{text}");
        }
    }
}
