//! Parts of the YAML module.

fn main() {
    divan::main();
}
