//! Whether a JPEG file is whole. Decoders fill what is missing with grey and say nothing.

/// Walks the markers from the first to the end of the image; says what is missing.
pub(super) fn check_complete(bytes: &[u8]) -> Result<(), String> {
    let truncated = || Err("the JPEG file is truncated: its end-of-image marker is missing".to_owned());
    let mut at = 2;
    loop {
        // Between segments: a marker, possibly after fill bytes; inside a scan: skip to the next one.
        let Some(skip) = bytes.get(at..).and_then(|rest| rest.iter().position(|&b| b == 0xFF)) else {
            return truncated();
        };
        at += skip + 1;
        let Some(&marker) = bytes.get(at) else { return truncated() };
        match marker {
            0xD9 => return Ok(()),
            // A stuffed zero, a fill byte, markers without a body.
            0xFF => {}
            0x00 | 0x01 | 0xD0..=0xD8 => at += 1,
            _ => {
                let (Some(&high), Some(&low)) = (bytes.get(at + 1), bytes.get(at + 2)) else { return truncated() };
                at += 1 + usize::from(u16::from_be_bytes([high, low])).max(2);
            }
        }
    }
}
