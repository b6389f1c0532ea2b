//! ONNX files by hand, to the bytes of protobuf: for what no exporter would write.

/// A field of bytes.
pub(crate) fn bytes(tag: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    [
        varint(u64::from(tag) << 3 | 2),
        varint(content.len() as u64),
        content.to_vec(),
    ]
    .concat()
}

/// A field of an integer.
pub(crate) fn int(tag: u8, value: i64) -> Vec<u8> {
    [varint(u64::from(tag) << 3), varint(value as u64)].concat()
}

pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 127 {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A tensor of floats in raw bytes.
pub(crate) fn tensor(name: &str, dims: &[i64], numbers: &[f32]) -> Vec<u8> {
    let raw: Vec<u8> = numbers.iter().flat_map(|v| v.to_le_bytes()).collect();
    let dims: Vec<u8> = dims.iter().flat_map(|dim| int(1, *dim)).collect();
    [dims, int(2, 1), bytes(8, name), bytes(9, raw)].concat()
}

/// An attribute of type `kind`, its value in `field`.
pub(crate) fn attribute(name: &str, kind: i64, field: Vec<u8>) -> Vec<u8> {
    [bytes(1, name), field, int(20, kind)].concat()
}

pub(crate) fn float(name: &str, value: f32) -> Vec<u8> {
    attribute(
        name,
        1,
        [vec![2 << 3 | 5], value.to_le_bytes().to_vec()].concat(),
    )
}

pub(crate) fn integer(name: &str, value: i64) -> Vec<u8> {
    attribute(name, 2, int(3, value))
}

/// A graph from `x` of (samples, `features`) to `y`, and what else is in its file.
#[derive(Clone)]
pub(crate) struct File {
    graph: Vec<u8>,
    version: i64,
}

impl File {
    pub(crate) fn new(features: i64) -> Self {
        Self {
            graph: bytes(2, "g"),
            version: 17,
        }
        .input("x", 1, &[None, Some(features)])
        .output("y")
    }

    pub(crate) fn bare() -> Self {
        Self {
            graph: bytes(2, "g"),
            version: 17,
        }
    }

    pub(crate) fn version(self, version: i64) -> Self {
        Self { version, ..self }
    }

    /// An input of numbers of type `kind`, with dimensions some of which are known.
    pub(crate) fn input(self, name: &str, kind: i64, dims: &[Option<i64>]) -> Self {
        let dims = dims
            .iter()
            .flat_map(|dim| bytes(1, dim.map_or_else(|| bytes(2, "n"), |dim| int(1, dim))))
            .collect::<Vec<_>>();
        let tensor = [int(1, kind), bytes(2, dims)].concat();
        self.field(11, [bytes(1, name), bytes(2, bytes(1, tensor))].concat())
    }

    pub(crate) fn output(self, name: &str) -> Self {
        self.field(12, bytes(1, name))
    }

    /// `op: a b -> c`, with attributes.
    pub(crate) fn node(self, text: &str, attributes: &[Vec<u8>]) -> Self {
        let (op, rest) = text.split_once(':').expect("an operator");
        let (inputs, outputs) = rest.split_once("->").expect("an arrow");
        let (domain, op) = op.rsplit_once('.').unwrap_or(("", op));
        let names = |tag: u8, names: &str| {
            names
                .split_whitespace()
                .flat_map(|name| bytes(tag, if name == "_" { "" } else { name }))
                .collect()
        };
        let attributes = attributes
            .iter()
            .flat_map(|attribute| bytes(5, attribute))
            .collect();
        self.field(
            1,
            [
                names(1, inputs),
                names(2, outputs),
                bytes(4, op),
                bytes(7, domain),
                attributes,
            ]
            .concat(),
        )
    }

    /// The nodes alone, for [`raw`](Self::raw).
    pub(crate) fn nodes(&self) -> Vec<u8> {
        self.graph[bytes(2, "g").len()..].to_vec()
    }

    /// Fields of the graph as they are.
    pub(crate) fn raw(self, fields: Vec<u8>) -> Self {
        Self {
            graph: [self.graph, fields].concat(),
            ..self
        }
    }

    pub(crate) fn tensor(self, name: &str, dims: &[i64], numbers: &[f32]) -> Self {
        self.field(5, tensor(name, dims, numbers))
    }

    /// A shape.
    pub(crate) fn shape(self, name: &str, numbers: &[i64]) -> Self {
        let packed: Vec<u8> = numbers.iter().flat_map(|v| varint(*v as u64)).collect();
        self.field(
            5,
            [
                int(1, numbers.len() as i64),
                int(2, 7),
                bytes(7, packed),
                bytes(8, name),
            ]
            .concat(),
        )
    }

    /// Any field of the graph.
    pub(crate) fn field(self, tag: u8, content: Vec<u8>) -> Self {
        Self {
            graph: [self.graph, bytes(tag, content)].concat(),
            ..self
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        [
            int(1, 8),
            bytes(7, &self.graph),
            bytes(8, int(2, self.version)),
        ]
        .concat()
    }
}
