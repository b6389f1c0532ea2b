//! Data sets and the readers of their files.

mod readers;
mod sets;
mod tables;
