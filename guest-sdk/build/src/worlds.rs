//! Which of the worlds that a core module speaks of become the component's.
//!
//! wit-bindgen leaves them in custom sections: where exports are written, the whole world, and in a library for every
//! world that it knows, the imports alone. The SDK knows two worlds and a script is of one: the encoder would add them
//! up, and a queue strategy would import the legs of calls. So where a whole world is, it alone is kept.

/// How the names of all these sections begin.
const TYPE: &[u8] = b"component-type:wit-bindgen:";
/// How the name of a whole world's ends, where a macro of a library wrote the exports.
const WHOLE: &[u8] = b":imports and exports";
/// Magic number and version (WebAssembly core specification §5.5.16).
const PREAMBLE: usize = 8;
/// The id of a custom section (§5.5.3).
const CUSTOM: u8 = 0;

/// The module without the sections of worlds that it does not export. One that is no module is left to the encoder.
pub(crate) fn of_the_exports(module: &[u8]) -> Vec<u8> {
    let whole =
        |name: Option<&[u8]>| name.is_some_and(|name| name.starts_with(TYPE) && name.ends_with(WHOLE));
    let part =
        |name: Option<&[u8]>| name.is_some_and(|name| name.starts_with(TYPE) && !name.ends_with(WHOLE));
    match sections(module) {
        Some(sections) if sections.iter().any(|section| whole(section.name)) => {
            let kept =
                sections.iter().filter(|section| !part(section.name)).flat_map(|section| section.bytes);
            module[..PREAMBLE].iter().chain(kept).copied().collect()
        }
        _ => module.to_vec(),
    }
}

/// A section with its header; `name` if it is a custom one.
struct Section<'a> {
    name: Option<&'a [u8]>,
    bytes: &'a [u8],
}

fn sections(module: &[u8]) -> Option<Vec<Section<'_>>> {
    let mut rest = module.get(PREAMBLE..)?;
    let mut sections = Vec::new();
    while let [id, after @ ..] = rest {
        let (size, body) = length(after)?;
        let content = body.get(..size)?;
        let name = if *id == CUSTOM {
            let (size, name) = length(content)?;
            Some(name.get(..size)?)
        } else {
            None
        };
        let end = rest.len() - body.len() + size;
        sections.push(Section { name, bytes: &rest[..end] });
        rest = &rest[end..];
    }
    Some(sections)
}

/// A length in LEB128 (§5.2.2), and what follows it.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0_u64;
    for (place, byte) in bytes.iter().enumerate().take(5) {
        length |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(length).ok()?, &bytes[place + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: &[u8] = b"component-type:wit-bindgen:0.61.1:a:b:one:encoded world";
    const ALL: &[u8] = b"component-type:wit-bindgen:0.61.1:a:b:two:imports and exports";

    /// A module of custom sections, and a type section with nothing in it between them.
    fn module(names: &[&[u8]]) -> Vec<u8> {
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        for name in names {
            let content = [&[name.len() as u8], *name, &[7; 100]].concat();
            let size = [0x80 | (content.len() % 128) as u8, (content.len() / 128) as u8];
            module.extend([&[CUSTOM], &size[..], &content, &[1, 1, 0]].concat());
        }
        module
    }

    #[test]
    fn a_whole_world_stands_alone() {
        let kept = of_the_exports(&module(&[PART, b"name", ALL, PART]));
        let names: Vec<_> = sections(&kept).unwrap().into_iter().filter_map(|section| section.name).collect();
        assert_eq!(names, [&b"name"[..], ALL]);
        let others = sections(&kept).unwrap().into_iter().filter(|section| section.name.is_none());
        assert_eq!(others.count(), 4);
    }

    #[test]
    fn a_world_without_such_a_mark_is_the_modules_own() {
        let own = module(&[PART, b"name"]);
        assert_eq!(of_the_exports(&own), own);
    }

    #[test]
    fn what_is_no_module_is_left_as_it_is() {
        let cut = &module(&[PART, ALL])[..60];
        for bytes in
            [&b""[..], b"\0asm", b"not wasm at all", cut, b"\0asm\x01\0\0\0\0\xff\xff\xff\xff\xff\xff"]
        {
            assert_eq!(of_the_exports(bytes), bytes);
        }
    }
}
