//! The numbers of a run on this machine, one a line.

fn main() {
    for bits in wasm::numbers() {
        println!("{bits:016x}");
    }
}
