//! The `hud` binary that goes into images: it must run there, whatever else they hold.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::util::fs;

/// Processors, as ELF files number them and as container platforms call them. Source: `elf.h` and Go's `GOARCH`.
const MACHINES: &[(u16, &str)] = &[
    (62, "amd64"),
    (183, "arm64"),
    (3, "386"),
    (40, "arm"),
    (243, "riscv64"),
    (21, "ppc64le"),
    (22, "s390x"),
];

/// The part of an ELF file that tells where to find its program headers.
const HEADER: usize = 64;

/// The type of the program header that names a dynamic linker.
const INTERPRETER: u32 = 3;

/// The binary for images of `platform` (`os/architecture`): `given` (`--hud-binary`), else `own`, this program.
///
/// # Errors
/// In words: it is for another platform, or needs libraries that an image may not have.
pub fn find(own: Option<&Path>, given: Option<&Path>, platform: &str) -> Result<PathBuf, String> {
    const HOW: &str =
        "hint: a static one is built with `cargo static`; give its path with --hud-binary";
    let (path, origin) = match (given, own) {
        (Some(given), _) => (given, "--hud-binary"),
        (None, Some(own)) => (own, "this program"),
        (None, None) => {
            return Err(format!(
                "the Dockerfile takes `hud` from the context, and this program does not know its own path\n{HOW}"
            ));
        }
    };
    let shown = path.display();
    let elf = read(path).map_err(|error| format!("{error:#}"))?;
    let Some(elf) = elf else {
        return Err(format!(
            "the Dockerfile takes `hud` from the context, and {origin} (`{shown}`) is no Linux program\n{HOW}"
        ));
    };
    let arch = platform.split('/').nth(1).unwrap_or_default();
    if elf.arch != arch {
        return Err(format!(
            "the image is for {platform}, and {origin} (`{shown}`) is for linux/{}\n{HOW}",
            elf.arch
        ));
    }
    if let Some(interpreter) = elf.interpreter {
        return Err(format!(
            "the Dockerfile takes `hud` from the context, and {origin} (`{shown}`) is not static: it runs only where `{interpreter}` and its libraries are\n{HOW}"
        ));
    }
    Ok(path.to_owned())
}

struct Elf {
    arch: String,
    interpreter: Option<String>,
}

/// What an ELF file is for; `None` for another kind of file.
fn read(path: &Path) -> anyhow::Result<Option<Elf>> {
    let mut file = fs::open(path)?;
    let mut start = Vec::new();
    // Program headers and the name of the linker stand at the beginning of what linkers write.
    file.by_ref().take(64 * 1024).read_to_end(&mut start)?;
    Ok(parse(&start))
}

fn parse(bytes: &[u8]) -> Option<Elf> {
    // 64 bits, little-endian: every platform that images are built for today.
    let is_elf = bytes.len() >= HEADER && bytes.starts_with(b"\x7fELF\x02\x01");
    if !is_elf {
        return None;
    }
    let u16_at = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let u32_at = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let u64_at = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let machine = u16_at(18)?;
    let arch = MACHINES
        .iter()
        .find(|(number, _)| *number == machine)
        .map_or_else(
            || format!("machine {machine}"),
            |(_, name)| (*name).to_owned(),
        );
    let (table, size, count) = (u64_at(32)?, u16_at(54)?, u16_at(56)?);
    let mut interpreter = None;
    for index in 0..usize::from(count) {
        let at = usize::try_from(table).ok()? + index * usize::from(size);
        if u32_at(at)? == INTERPRETER {
            let offset = usize::try_from(u64_at(at + 8)?).ok()?;
            let length = usize::try_from(u64_at(at + 32)?).ok()?;
            let name = bytes
                .get(offset..offset.checked_add(length)?)
                .unwrap_or(b"a linker");
            let name = String::from_utf8_lossy(name);
            interpreter = Some(name.trim_end_matches('\0').to_owned());
        }
    }
    Some(Elf { arch, interpreter })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF header with one program header.
    fn elf(machine: u16, kind: u32) -> Vec<u8> {
        let mut bytes = vec![0; HEADER + 56];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes[32..40].copy_from_slice(&64_u64.to_le_bytes());
        bytes[54..56].copy_from_slice(&56_u16.to_le_bytes());
        bytes[56..58].copy_from_slice(&1_u16.to_le_bytes());
        bytes[64..68].copy_from_slice(&kind.to_le_bytes());
        bytes[72..80].copy_from_slice(&120_u64.to_le_bytes());
        bytes[96..104].copy_from_slice(&10_u64.to_le_bytes());
        bytes.extend_from_slice(b"/lib/ld.so");
        bytes
    }

    #[test]
    fn only_a_static_program_of_the_platform_goes_into_an_image() {
        let check = |bytes: &[u8], platform: &str, expected: Result<(), &str>| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("hud");
            fs::write(&path, bytes).unwrap();
            match (find(None, Some(&path), platform), expected) {
                (Ok(found), Ok(())) => assert_eq!(found, path),
                (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
                (found, _) => panic!("{found:?}"),
            }
        };
        check(&elf(62, 1), "linux/amd64", Ok(()));
        check(&elf(183, 1), "linux/arm64/v8", Ok(()));
        check(
            &elf(62, 1),
            "linux/arm64",
            Err("is for linux/arm64, and --hud-binary"),
        );
        check(
            &elf(62, 3),
            "linux/amd64",
            Err("runs only where `/lib/ld.so`"),
        );
        check(b"#!/bin/sh", "linux/amd64", Err("is no Linux program"));
        check(&elf(62, 1)[..60], "linux/amd64", Err("is no Linux program"));
        assert!(find(None, None, "linux/amd64").is_err());
        let missing = find(None, Some(Path::new("/none")), "linux/amd64").unwrap_err();
        assert!(missing.contains("cannot open `/none`"), "{missing}");
    }
}
