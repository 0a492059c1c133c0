//! Mutations of inputs: of bytes, and of what inputs are made of. Deterministic.

/// Texts that mean something in the formats that are read here.
const TOKENS: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"\0",
    b"{",
    b"}",
    b"[",
    b"]",
    b"null",
    b"true",
    b"-1",
    b"0",
    b"1e999",
    b"99999999999999999999",
    b"\"\"",
    b"[]",
    b"{}",
    b"%00",
    b"%0d%0a",
    b"\r\n",
    b"%E2%80%AE",
    b"\\ud800",
    b"\\u0000",
    b"<canary>",
    b"\"><canary x=\"",
    b"'",
    b"&",
    b"=",
    b";",
    b",",
    b" ",
    b"\t",
    b"\n",
    b"http://127.0.0.1/",
    b"https://evil.example/",
    b"//evil.example",
    b"javascript:x",
    b"none",
    b"HS256",
    b"../",
    b"\xc3\xa9",
    b"\xff",
    b"\xef\xbb\xbf",
    b".",
    b"..",
    b"@now",
    b"@later",
    b"%",
    b"%ff",
    b"+",
    b"-----BEGIN CERTIFICATE-----",
    b"openid",
    b"sub",
    b"'''",
    b"#",
    b"(",
    b")",
    b"||",
    b"? :",
];
/// The longest input.
const LONGEST: usize = 64 * 1024;

/// Makes inputs of others.
pub(crate) struct Mutator<'s> {
    state: u64,
    seeds: &'s [Vec<u8>],
}

impl<'s> Mutator<'s> {
    pub(crate) fn new(seed: u64, seeds: &'s [Vec<u8>]) -> Self {
        Self { state: seed, seeds }
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.state;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// A number below this one.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.random() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn range(&mut self, length: usize, longest: usize) -> std::ops::Range<usize> {
        let from = self.below(length + 1);
        let to = (from + 1 + self.below(longest)).min(length);
        from.min(to)..to
    }

    /// The next input.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let (seeds, at) = (self.seeds, self.below(self.seeds.len()));
        let mut input = seeds[at].clone();
        for _ in 0..=self.below(4) {
            self.mutate(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        let (length, token) = (input.len(), TOKENS[self.below(TOKENS.len())]);
        match self.below(10) {
            0 if length > 0 => input[self.below(length)] ^= 1 << self.below(8),
            1 if length > 0 => input[self.below(length)] = self.random().to_le_bytes()[0],
            2 => {
                let range = self.range(length, 16);
                input.splice(range, token.iter().copied());
            }
            3 => {
                let range = self.range(length, 32);
                input.drain(range);
            }
            4 => {
                let copy = input[self.range(length, 64)].to_vec();
                let at = self.below(length + 1);
                input.splice(at..at, copy);
            }
            5 => input.truncate(self.below(length + 1)),
            6 => {
                let (seeds, other) = (self.seeds, self.below(self.seeds.len()));
                let part = seeds[other][self.range(seeds[other].len(), 256)].to_vec();
                let at = self.below(length + 1);
                input.splice(at..at, part);
            }
            7 => self.replace_word(input, token),
            8 => {
                let at = self.below(length + 1);
                let count = 1 << self.below(13);
                input.splice(at..at, std::iter::repeat_n(token[0], count));
            }
            _ => {
                let at = self.below(length + 1);
                input.splice(at..at, token.iter().copied());
            }
        }
    }

    /// Replaces a number, a name or a text in quotes.
    fn replace_word(&mut self, input: &mut Vec<u8>, token: &[u8]) {
        let at = self.below(input.len() + 1);
        let part_of = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-@".contains(byte);
        let from = input.iter().skip(at).position(part_of).map(|skipped| at + skipped);
        let Some(from) = from else { return };
        let length = input.iter().skip(from).take_while(|byte| part_of(byte)).count();
        let quoted =
            from > 0 && input[from - 1] == b'"' && input.get(from + length) == Some(&b'"') && self.below(2) == 0;
        let range = if quoted { from - 1..from + length + 1 } else { from..from + length };
        input.splice(range, token.iter().copied());
    }
}
