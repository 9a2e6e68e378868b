//! Numbers of payment cards.

/// Whether this is the number of a card: digits in the usual groups, an issuer's prefix with its length, and a check
/// digit that fits.
pub(super) fn is_number(text: &[u8]) -> bool {
    const LONGEST: usize = 19;
    let mut digits = [0u8; LONGEST];
    let mut length = 0;
    for &byte in text {
        match byte {
            b'0'..=b'9' if length < LONGEST => {
                digits[length] = byte - b'0';
                length += 1;
            }
            b' ' | b'-' => {}
            _ => return false,
        }
    }
    let digits = &digits[..length];
    is_grouped(text) && is_issued(digits, text.len() > length) && checks(digits)
}

/// Where a number in groups with blanks ends, whose first four digits are `start..space`.
pub(super) fn in_groups(text: &[u8], start: usize, space: usize) -> Option<usize> {
    /// Longest number, with its blanks.
    const LONGEST: usize = 23;
    if space - start != 4 || !text[start..space].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (mut end, mut found) = (space, None);
    while text.get(end) == Some(&b' ') && text.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end += 1 + text[end + 1..].iter().take(LONGEST).take_while(|byte| byte.is_ascii_digit()).count();
        if end - start > LONGEST {
            break;
        }
        // Another number may follow, such as the one on the back.
        let ends_word = text.get(end).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        if ends_word && is_number(&text[start..end]) {
            found = Some(end);
        }
    }
    found
}

/// In one piece, or in groups of four with a shorter one at the end, or of four, six and five.
fn is_grouped(text: &[u8]) -> bool {
    let mut separators = text.iter().filter(|byte| !byte.is_ascii_digit());
    let Some(separator) = separators.next() else { return true };
    if separators.any(|other| other != separator) {
        return false;
    }
    let groups = text.split(|byte| byte == separator);
    let lengths = groups.fold([0usize; 6], |mut lengths, group| {
        if let Some(next) = lengths.iter_mut().find(|length| **length == 0) {
            *next = group.len();
        }
        lengths
    });
    matches!(lengths, [4, 6, 4 | 5, 0, ..] | [4, 4, 4, 1..=4, 0..=3, 0])
}

fn is_issued(digits: &[u8], is_parted: bool) -> bool {
    if digits.len() < 13 {
        return false;
    }
    let first = |count: usize| digits[..count].iter().fold(0u32, |number, digit| number * 10 + u32::from(*digit));
    let (two, three, four) = (first(2), first(3), first(4));
    match digits.len() {
        13 if digits[0] == 4 => true,
        // Longer ones are rare, and as many ids begin like them.
        19 if digits[0] == 4 => is_parted,
        14 => two == 36 || two == 38 || two == 30,
        15 => two == 34 || two == 37,
        16 => {
            digits[0] == 4
                || (51..=55).contains(&two)
                || (2221..=2720).contains(&four)
                || four == 6011
                || two == 65
                || two == 62
                || (644..=649).contains(&three)
                || (3528..=3589).contains(&four)
        }
        17..=19 => two == 62,
        _ => false,
    }
}

/// Luhn's check: every second digit from the right doubled, the digits' sum a multiple of ten.
fn checks(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match u32::from(*digit) * (1 + place as u32 % 2) {
            doubled @ 10.. => doubled - 9,
            digit => digit,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_numbers_of_the_issuers_are_cards_and_their_neighbours_are_not() {
        for number in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4012-8888-8888-1881",
            "4222222222222",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "3782 822463 10005",
            "6011111111111117",
            "3530111333300000",
            "30569309025904",
            "6200000000000005",
        ] {
            assert!(is_number(number.as_bytes()), "{number}");
            let (rest, last) = number.split_at(number.len() - 1);
            let wrong = format!("{rest}{}", (last.parse::<u8>().unwrap() + 1) % 10);
            assert!(!is_number(wrong.as_bytes()), "{wrong}");
        }
        for number in [
            "1764000000000000",
            "41-11111111111111",
            "4111 1111-1111 1111",
            "0000000000000000",
            "4111",
            "41111111111111111111",
        ] {
            assert!(!is_number(number.as_bytes()), "{number}");
        }
        assert_eq!(in_groups(b"4111 1111 1111 1111.", 0, 4), Some(19));
        assert_eq!(in_groups(b"4111 1111 1111 1111x", 0, 4), None);
        assert_eq!(in_groups(b"2024 10 11 12", 0, 4), None);
    }
}
