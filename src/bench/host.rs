//! Where and when something was measured.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rheobase_report::Machine;
use serde::{Deserialize, Serialize};

/// The machine, as far as it decides about speed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Host {
    /// Processor, cores, operating system, architecture.
    #[serde(flatten)]
    pub machine: Machine,
    /// Widest vectors that kernels use: "Avx512", "Avx2", "Baseline".
    #[serde(default)]
    pub simd: String,
    /// Caches of the first core that hold data, from the nearest; empty where the system does not tell.
    #[serde(default)]
    pub caches: Vec<Cache>,
    /// Memory of the machine \[bytes\]; 0 where the system does not tell.
    #[serde(default)]
    pub memory_bytes: u64,
}

/// A cache.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cache {
    /// 1 is the nearest.
    pub level: u32,
    /// Size \[bytes\].
    pub bytes: u64,
    /// Cores that share it, as the system lists them: "0-1".
    pub cores: String,
}

impl Host {
    /// Looks at the machine this runs on.
    #[must_use]
    pub fn detect() -> Self {
        Self {
            machine: Machine::detect(),
            simd: format!("{:?}", rheobase_engine::simd::level()),
            caches: caches(Path::new("/sys/devices/system/cpu/cpu0/cache")),
            memory_bytes: memory().unwrap_or(0),
        }
    }

    /// On one line, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = format!("{}, {} cores", self.machine.cpu, self.machine.cores);
        if !self.simd.is_empty() {
            text.push_str(&format!(", {}", self.simd));
        }
        for cache in &self.caches {
            text.push_str(&format!(", L{} {} KiB", cache.level, cache.bytes >> 10));
        }
        if self.memory_bytes > 0 {
            text.push_str(&format!(", {} GiB", self.memory_bytes >> 30));
        }
        text
    }
}

fn caches(folder: &Path) -> Vec<Cache> {
    let read = |index: u32, file: &str| {
        let text = fs::read_to_string(folder.join(format!("index{index}")).join(file)).ok()?;
        Some(text.trim().to_owned())
    };
    let mut caches: Vec<Cache> = (0..16)
        .filter(|i| read(*i, "type").is_some_and(|t| t != "Instruction"))
        .filter_map(|i| {
            Some(Cache {
                level: read(i, "level")?.parse().ok()?,
                bytes: bytes(&read(i, "size")?)?,
                cores: read(i, "shared_cpu_list").unwrap_or_default(),
            })
        })
        .collect();
    caches.sort_by_key(|c| c.level);
    caches
}

/// "48K", "32M" or a bare number.
fn bytes(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 10),
        b'M' => (&text[..text.len() - 1], 20),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// Now, as `2026-01-31T12:00:00Z`.
pub(super) fn utc_now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    utc(since.map_or(0, |d| d.as_secs()))
}

fn utc(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z",
        second % 60
    )
}

/// The date so many days after 1970-01-01, counted year by year.
fn date(mut days: u64) -> (u64, usize, u64) {
    let leap = |y: u64| y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while month < 11 && days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    (year, month + 1, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_735_689_599), "2024-12-31T23:59:59Z");
        assert_eq!(utc(4_107_542_400), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn sizes_of_caches_are_read() {
        assert_eq!(bytes("48K"), Some(48 << 10));
        assert_eq!(bytes("32M"), Some(32 << 20));
        assert_eq!(bytes("512"), Some(512));
        assert_eq!(bytes("many"), None);
        assert_eq!(bytes(""), None);
        assert!(caches(Path::new("absent")).is_empty());
    }
}
