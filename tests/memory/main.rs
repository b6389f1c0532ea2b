//! How often memory is taken, and how much of it: in a process whose allocator counts both.

#[path = "../common/counting.rs"]
mod counting;

mod allocation;
mod peak;
