//! Percent-decoding.

/// The pairs of a form or a query string; `+` is a space there.
pub fn form(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")))
    })
}

/// Resolves `%XX`; what is no such sign stays as it is.
pub fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let pair = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%');
        match pair.and_then(|pair| Some(hex(pair[0])? * 16 + hex(pair[1])?)) {
            Some(decoded_byte) => {
                decoded.push(decoded_byte);
                at += 3;
            }
            None => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding() {
        for (text, expected) in
            [("a%20b", "a b"), ("%C3%A9", "é"), ("%", "%"), ("%2", "%2"), ("%zz", "%zz"), ("%ff", "\u{fffd}")]
        {
            assert_eq!(decode(text), expected);
        }
        let pairs: Vec<_> = form("q=a+b%2Bc&flag&x=1=2").collect();
        assert_eq!(pairs, [("q", "a b+c"), ("flag", ""), ("x", "1=2")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    }
}
