//! Dates in HTTP (RFC 9110 5.6.7).

use alloc::vec::Vec;
use core::time::Duration;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The moment that `text` names, since 1970, in any of the three forms that a recipient has to know. `now` is since 1970 as well.
pub(super) fn http_date(text: &[u8], now: Duration) -> Option<Duration> {
    let text = core::str::from_utf8(text).ok()?;
    match text.split(' ').collect::<Vec<_>>()[..] {
        // IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT
        [_, day, month, year, time, "GMT"] => moment(number(year, 4)?, month, number(day, 2)?, time),
        // The form of RFC 850: Sunday, 06-Nov-94 08:49:37 GMT
        [_, date, time, "GMT"] => {
            let mut parts = date.splitn(3, '-');
            let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
            moment(full_year(number(year, 2)?, now), month, number(day, 2)?, time)
        }
        // That of asctime: Sun Nov  6 08:49:37 1994
        [_, month, "", day, time, year] => moment(number(year, 4)?, month, number(day, 1)?, time),
        [_, month, day, time, year] => moment(number(year, 4)?, month, number(day, 2)?, time),
        _ => None,
    }
}

/// RFC 9110 5.6.7: what seems more than 50 years ahead is the last year in the past with these digits.
fn full_year(digits: u64, now: Duration) -> u64 {
    const SECS_PER_YEAR: u64 = 31_556_952;

    let this_year = (1970 + now.as_secs() / SECS_PER_YEAR).min(9999);
    let year = this_year - this_year % 100 + digits;
    if year > this_year + 50 { year - 100 } else { year }
}

fn moment(year: u64, month: &str, day: u64, time: &str) -> Option<Duration> {
    let month = MONTHS.iter().position(|name| *name == month)? as u64;
    let mut parts = time.splitn(3, ':').map(|part| number(part, 2));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    // 60 is a leap second.
    if !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days since March of the year 0, since a leap day is the last of its year then.
    let (years, months) = if month < 2 { (year.checked_sub(1)?, month + 10) } else { (year, month - 2) };
    let days = years * 365 + years / 4 - years / 100 + years / 400 + (months * 153 + 2) / 5 + day;
    // The first of January 1970.
    let days = days.checked_sub(719_469)?;
    Some(Duration::from_secs(((days * 24 + hour) * 60 + minute) * 60 + second))
}

/// A number of `len` digits.
fn number(digits: &str, len: usize) -> Option<u64> {
    let is_number = digits.len() == len && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the year 2026.
    const NOW: Duration = Duration::from_secs(1_796_033_259);

    #[test]
    fn a_date_is_read_in_its_three_forms() {
        for (text, secs) in [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
            ("Sun Nov  6 08:49:37 1994", 784_111_777),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600),
            ("Wed, 01 Mar 2000 12:00:00 GMT", 951_912_000),
            ("Mon, 30 Nov 2026 10:07:39 GMT", 1_796_033_259),
            ("Monday, 30-Nov-26 10:07:39 GMT", 1_796_033_259),
            ("Mon Nov 30 10:07:39 2026", 1_796_033_259),
            ("Fri, 31 Dec 9999 23:59:60 GMT", 253_402_300_800),
        ] {
            assert_eq!(http_date(text.as_bytes(), NOW), Some(Duration::from_secs(secs)), "{text}");
        }
    }

    #[test]
    fn two_digits_are_a_year_at_most_50_ahead() {
        let date = |text: &str| http_date(text.as_bytes(), NOW);
        assert_eq!(date("x, 01-Jan-76 00:00:00 GMT"), date("Wed, 01 Jan 2076 00:00:00 GMT"));
        assert_eq!(date("x, 01-Jan-77 00:00:00 GMT"), date("Sat, 01 Jan 1977 00:00:00 GMT"));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 Nov 1994 08:49:37:00 GMT",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sunday, 6-Nov-94 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
            "Sun Nov  6 08:49:37 94",
        ] {
            assert_eq!(http_date(text.as_bytes(), NOW), None, "{text}");
        }
    }
}
