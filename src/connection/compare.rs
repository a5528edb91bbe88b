//! Comparisons of what is received with what a caller has at hand.

/// Equal to a text if `$text`, a function to `Option<&str>`, finds the same one.
macro_rules! compare_with_text {
    ($type:ty, $text:expr) => {
        impl PartialEq<str> for $type {
            fn eq(&self, other: &str) -> bool {
                $text(self) == Some(other)
            }
        }

        impl PartialEq<&str> for $type {
            fn eq(&self, other: &&str) -> bool {
                self == *other
            }
        }

        impl PartialEq<String> for $type {
            fn eq(&self, other: &String) -> bool {
                self == other.as_str()
            }
        }
    };
}

/// Equal to bytes if `$payload`, a function to `Option<&[u8]>`, finds the same ones.
macro_rules! compare_with_bytes {
    ($type:ty, $payload:expr) => {
        impl PartialEq<[u8]> for $type {
            fn eq(&self, other: &[u8]) -> bool {
                $payload(self) == Some(other)
            }
        }

        impl PartialEq<&[u8]> for $type {
            fn eq(&self, other: &&[u8]) -> bool {
                self == *other
            }
        }

        impl<const N: usize> PartialEq<[u8; N]> for $type {
            fn eq(&self, other: &[u8; N]) -> bool {
                self == other.as_slice()
            }
        }

        impl<const N: usize> PartialEq<&[u8; N]> for $type {
            fn eq(&self, other: &&[u8; N]) -> bool {
                self == other.as_slice()
            }
        }

        impl PartialEq<Vec<u8>> for $type {
            fn eq(&self, other: &Vec<u8>) -> bool {
                self == other.as_slice()
            }
        }
    };
}

pub(crate) use {compare_with_bytes, compare_with_text};
