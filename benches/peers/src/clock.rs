//! Time: of the processor, for ratios, and of the wall.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// What one unit of work cost, in seconds.
#[derive(Clone, Copy)]
pub struct Cost {
    pub cpu: f64,
    pub wall: f64,
}

pub struct Watch {
    cpu: Duration,
    wall: Instant,
}

impl Watch {
    pub fn start() -> Self {
        Self { cpu: cpu(), wall: Instant::now() }
    }

    pub fn stop(self, units: usize) -> Cost {
        let (wall, cpu) = (self.wall.elapsed(), cpu().saturating_sub(self.cpu));
        let units = units.max(1) as f64;
        Cost { cpu: cpu.as_secs_f64() / units, wall: wall.as_secs_f64() / units }
    }
}

/// Of the whole process, kernel included, whichever thread works.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Lowest, middle and highest.
pub fn spread(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    [values[0], values[values.len() / 2], values[values.len() - 1]]
}

/// How many times as fast as the other, turn by turn: the middle one.
pub fn ratio(own: &[Cost], other: &[Cost]) -> f64 {
    spread(own.iter().zip(other).map(|(own, other)| other.cpu / own.cpu))[1]
}

/// As [`ratio`], of the time that passed.
pub fn ratio_of_wall(own: &[Cost], other: &[Cost]) -> f64 {
    spread(own.iter().zip(other).map(|(own, other)| other.wall / own.wall))[1]
}
