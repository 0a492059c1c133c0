//! Captures what the broker logs.

use std::io;
use std::sync::{Mutex, OnceLock};

use tracing_subscriber::fmt::MakeWriter;

/// Everything that this process logs, at the most verbose level.
struct Log;

static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

/// Starts capturing for the whole process.
pub(crate) fn capture() {
    static CAPTURED: OnceLock<()> = OnceLock::new();
    CAPTURED.get_or_init(|| {
        let subscriber =
            tracing_subscriber::fmt().with_writer(Log).with_max_level(tracing::Level::TRACE).json().finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

/// Everything that was captured.
pub(crate) fn captured() -> String {
    String::from_utf8_lossy(&LOGGED.lock().unwrap()).into_owned()
}

/// The lines that contain all of these texts.
pub(crate) fn lines(with: &[&str]) -> Vec<String> {
    captured().lines().filter(|line| with.iter().all(|text| line.contains(text))).map(str::to_owned).collect()
}
