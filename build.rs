//! Folders that are embedded in the binary: a new file in them must rebuild it, which the embedding macro cannot tell Cargo by itself.

fn main() {
    for folder in ["python/hud", "templates", "completions"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
