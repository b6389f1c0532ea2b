//! Files that are often taken for another.

/// What a file of `torch.save` is called, and the way from it to here.
pub(super) const TORCH: (&str, &str) = (
    "a pickle of torch.save, a .pt or .pth file",
    "in Python: safetensors.torch.save_file(net.state_dict(), \"net.safetensors\")",
);

/// What the first bytes of a file show it to be, and the next step; `None` if they show nothing.
/// Some 100 bytes are enough.
pub(crate) fn foreign(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    Some(match bytes {
        [0x1f, 0x8b, ..] => ("a gzip file", "unpack it with gzip -d"),
        [b'P', b'K', 3, 4, ..] => match first_entry(bytes) {
            name if is_torch(name) => TORCH,
            name if name.ends_with(b".npy") => {
                ("a ZIP archive of NumPy's arrays, a .npz file", "read_npz")
            }
            name if name.starts_with(b"[Content_Types]") || name.starts_with(b"xl/") => EXCEL,
            _ => ("a ZIP archive", "unpack it"),
        },
        // The first two bytes are those of any pickle, the others the number that torch.save begins
        // with.
        [0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, ..] => TORCH,
        [0x80, 2..=5, ..] => (
            "a pickle of Python",
            "np.save writes arrays, safetensors.torch.save_file state dicts",
        ),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => {
            ("an array of np.save, a .npy file", "read_npy")
        }
        [0x89, b'H', b'D', b'F', ..] => (
            "an HDF5 file, as Keras and h5py write it",
            "np.savez writes its arrays",
        ),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => EXCEL,
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => ("text in UTF-16", "save it as UTF-8"),
        [b'B', b'Z', b'h', ..] => ("a bzip2 file", "unpack it with bzip2 -d"),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => ("an xz file", "unpack it with xz -d"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ("a zstd file", "unpack it with zstd -d"),
        _ => return None,
    })
}

const EXCEL: (&str, &str) = ("a workbook of Excel", "save it as CSV");

/// Whether an entry of this name in a ZIP archive shows that `torch.save` wrote it.
pub(super) fn is_torch(name: &[u8]) -> bool {
    name.ends_with(b"/data.pkl")
}

/// The name of the first entry of a ZIP archive, as far as it is there.
fn first_entry(bytes: &[u8]) -> &[u8] {
    let name = bytes.get(30..).unwrap_or_default();
    let len = bytes
        .get(26..28)
        .map_or(0, |len| usize::from(u16::from_le_bytes([len[0], len[1]])));
    &name[..len.min(name.len())]
}
