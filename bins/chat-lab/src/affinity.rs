//! The CPUs on which the threads and processes of this program run.

use std::io;

use rustix::thread::CpuSet;

/// Pins the calling thread, and the threads and processes that it starts from now on, to one CPU.
pub(crate) fn pin(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    set_affinity(&set)
}

/// The CPUs on which the calling thread may run.
pub(crate) fn affinity() -> io::Result<CpuSet> {
    Ok(rustix::thread::sched_getaffinity(None)?)
}

pub(crate) fn set_affinity(set: &CpuSet) -> io::Result<()> {
    Ok(rustix::thread::sched_setaffinity(None, set)?)
}
