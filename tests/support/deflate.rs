//! DEFLATE (RFC 1951) read and written by hand, slowly and strictly: the library's engine is not trusted with its own test.

/// RFC 7692 7.2.1: what is not sent of a compressed message.
pub const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// Blocks, bit by bit.
#[derive(Clone, Default)]
pub struct Blocks {
    bytes: Vec<u8>,
    bit: u32,
}

impl Blocks {
    pub fn new() -> Self {
        Self::default()
    }

    /// RFC 1951 3.1.1: the least significant bit first.
    pub fn bits(mut self, value: u32, count: u32) -> Self {
        for n in 0..count {
            if self.bit == 0 {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> n & 1) as u8) << self.bit;
            }
            self.bit = (self.bit + 1) % 8;
        }
        self
    }

    /// Huffman codes begin with their most significant bit.
    fn code(self, code: u32, count: u32) -> Self {
        (0..count).rev().fold(self, |blocks, n| blocks.bits(code >> n & 1, 1))
    }

    fn align(mut self) -> Self {
        self.bit = 0;
        self
    }

    pub fn stored(self, text: impl AsRef<[u8]>, is_final: bool) -> Self {
        let text = text.as_ref();
        let mut blocks = self.bits(is_final.into(), 1).bits(0, 2).align();
        let len = text.len() as u16;
        blocks.bytes.extend([len.to_le_bytes(), (!len).to_le_bytes()].concat());
        blocks.bytes.extend_from_slice(text);
        blocks
    }

    /// A block with the fixed codes of RFC 1951 3.2.6: literals, and then copies of three bytes from so far back.
    pub fn fixed(self, text: impl AsRef<[u8]>, distances: &[u32], is_final: bool) -> Self {
        let blocks = self.bits(is_final.into(), 1).bits(1, 2);
        let blocks = text.as_ref().iter().fold(blocks, |blocks, &byte| match byte {
            0..144 => blocks.code(0x30 + u32::from(byte), 8),
            _ => blocks.code(0x190 + u32::from(byte) - 144, 9),
        });
        let blocks = distances.iter().fold(blocks, |blocks, &distance| {
            let (symbol, base) =
                DISTANCES.iter().copied().enumerate().rfind(|(_, base)| *base <= distance).unwrap_or((0, 1));
            blocks.code(1, 7).code(symbol as u32, 5).bits(distance - base, extra_bits(symbol))
        });
        let blocks = blocks.code(0, 7);
        // What follows the last block of a stream begins another one.
        if is_final { blocks.align() } else { blocks }
    }

    /// RFC 7692 7.2.1: what a message ends with, less the tail: the header of an empty stored block.
    pub fn end(self) -> Vec<u8> {
        self.bits(0, 3).align().bytes
    }

    /// As it is.
    pub fn bytes(self) -> Vec<u8> {
        self.bytes
    }
}

const DISTANCES: [u32; 30] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073,
    4097, 6145, 8193, 12289, 16385, 24577,
];
const LENGTHS: [u32; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
    227, 258,
];

fn extra_bits(distance_symbol: usize) -> u32 {
    (distance_symbol as u32 / 2).saturating_sub(1)
}

/// The receiving side of one direction.
pub struct Inflater {
    /// Everything since the window was empty.
    text: Vec<u8>,
    takeover: bool,
    /// The furthest reference back that was seen.
    pub max_distance: usize,
    /// How many blocks were read.
    pub blocks: usize,
}

impl Inflater {
    pub fn new(takeover: bool) -> Self {
        Self { text: Vec::new(), takeover, max_distance: 0, blocks: 0 }
    }

    /// A whole message, which must end where its last block does (RFC 7692 7.2.2).
    pub fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        if !self.takeover {
            self.text.clear();
        }
        let start = self.text.len();
        let bytes = [payload, &TAIL].concat();
        let mut bits = Bits { bytes: &bytes, at: 0 };
        while bits.at < bytes.len() * 8 {
            if self.block(&mut bits) {
                bits.at = bits.at.next_multiple_of(8);
            }
        }
        self.text[start..].to_vec()
    }

    /// True for the last one of a stream.
    fn block(&mut self, bits: &mut Bits<'_>) -> bool {
        self.blocks += 1;
        let is_final = bits.take(1) == 1;
        match bits.take(2) {
            0 => {
                bits.at = bits.at.next_multiple_of(8);
                let (len, check) = (bits.take(16), bits.take(16));
                assert_eq!(len, !check & 0xFFFF, "RFC 1951 3.2.4");
                for _ in 0..len {
                    self.text.push(bits.take(8) as u8);
                }
            }
            1 => {
                let lens = [[8; 144].as_slice(), &[9; 112], &[7; 24], &[8; 8]].concat();
                self.codes(bits, &Code::new(&lens), &Code::new(&[5; 30]));
            }
            2 => {
                let (literals, distances) = dynamic(bits);
                self.codes(bits, &literals, &distances);
            }
            _ => panic!("a block of a type that does not exist"),
        }
        is_final
    }

    fn codes(&mut self, bits: &mut Bits<'_>, literals: &Code, distances: &Code) {
        loop {
            match literals.take(bits) {
                symbol @ 0..256 => self.text.push(symbol as u8),
                256 => return,
                symbol => {
                    let symbol = symbol - 257;
                    let extra = if symbol == 28 { 0 } else { (symbol as u32 / 4).saturating_sub(1) };
                    let len = LENGTHS[symbol] + bits.take(extra);
                    let symbol = distances.take(bits);
                    let distance = (DISTANCES[symbol] + bits.take(extra_bits(symbol))) as usize;
                    assert!(distance <= self.text.len(), "a reference to before the beginning");
                    self.max_distance = self.max_distance.max(distance);
                    for _ in 0..len {
                        self.text.push(self.text[self.text.len() - distance]);
                    }
                }
            }
        }
    }
}

/// RFC 1951 3.2.7.
fn dynamic(bits: &mut Bits<'_>) -> (Code, Code) {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

    let (literals, distances, codes) = (bits.take(5) + 257, bits.take(5) + 1, bits.take(4) + 4);
    let mut lens = [0; 19];
    for &at in &ORDER[..codes as usize] {
        lens[at] = bits.take(3);
    }
    let code = Code::new(&lens);
    let mut lens = Vec::new();
    while lens.len() < (literals + distances) as usize {
        let (len, count) = match code.take(bits) {
            16 => (*lens.last().expect("a length to repeat"), 3 + bits.take(2)),
            17 => (0, 3 + bits.take(3)),
            18 => (0, 11 + bits.take(7)),
            len => (len as u32, 1),
        };
        lens.extend(core::iter::repeat_n(len, count as usize));
    }
    assert_eq!(lens.len(), (literals + distances) as usize);
    let (literals, distances) = lens.split_at(literals as usize);
    (Code::new(literals), Code::new(distances))
}

struct Bits<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> u32 {
        (0..count).fold(0, |value, n| {
            let bit = self.bytes[self.at / 8] >> (self.at % 8) & 1;
            self.at += 1;
            value | u32::from(bit) << n
        })
    }
}

/// The symbol of each code: its length and its value.
struct Code(std::collections::HashMap<(u32, u32), usize>);

impl Code {
    /// RFC 1951 3.2.2: codes in the order of their lengths, and then of their symbols.
    fn new(lens: &[u32]) -> Self {
        let mut symbols: Vec<_> = lens.iter().copied().enumerate().filter(|(_, len)| *len > 0).collect();
        symbols.sort_by_key(|&(symbol, len)| (len, symbol));
        let (mut next, mut last_len) = (0, 0);
        let codes = symbols.into_iter().map(|(symbol, len)| {
            next <<= len - last_len;
            last_len = len;
            next += 1;
            ((len, next - 1), symbol)
        });
        Self(codes.collect())
    }

    fn take(&self, bits: &mut Bits<'_>) -> usize {
        let mut code = 0;
        for len in 1..=15 {
            code = code << 1 | bits.take(1);
            if let Some(symbol) = self.0.get(&(len, code)) {
                return *symbol;
            }
        }
        panic!("a code that stands for nothing");
    }
}

/// What a chat sends: JSON that repeats its names.
pub fn json(seed: usize, len: usize) -> String {
    let mut text = String::new();
    for n in 0.. {
        let id = (seed * 7919 + n) * 2_654_435_761 % 1_000_003;
        text.push_str(&format!(
            "{{\"id\":{id},\"user\":\"user-{}\",\"room\":\"general\",\"text\":\"message number {n} of {seed}\",\"at\":\"2026-11-{:02}T10:{:02}:00Z\"}},",
            id % 97,
            1 + id % 30,
            id % 60
        ));
        if text.len() >= len {
            break;
        }
    }
    text.truncate(len);
    text
}
