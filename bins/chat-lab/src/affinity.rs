//! Which processors the threads and processes of this program run on.

use std::io;

use rustix::thread::CpuSet;

/// Keeps the calling thread, and the threads and processes that it starts from now on, on one processor.
pub(crate) fn pin(processor: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(processor);
    set_affinity(&set)
}

/// Where the calling thread may run.
pub(crate) fn affinity() -> io::Result<CpuSet> {
    Ok(rustix::thread::sched_getaffinity(None)?)
}

pub(crate) fn set_affinity(set: &CpuSet) -> io::Result<()> {
    Ok(rustix::thread::sched_setaffinity(None, set)?)
}
