//! What a node says: its operator, its operands, its attributes.

use super::constant::Constant;
use super::proto;
use crate::error::{Error, ErrorKind, Result};
use alloc::{format, string::String, vec::Vec};

/// An attribute that is a list of numbers, as a vector or as a matrix of so many rows.
pub(super) fn listed<'g>(
    node: &'g proto::Node,
    name: &str,
    rows: Option<usize>,
) -> Result<Constant<'g>> {
    let floats = attribute(node, name, proto::ATTRIBUTE_FLOATS)?
        .map_or(&[][..], |attribute| &attribute.floats);
    let columns = floats.len() / rows.unwrap_or(1).max(1);
    let dims: Vec<i64> = rows
        .into_iter()
        .chain([columns])
        .map(|dim| dim as i64)
        .collect();
    Constant::of_floats(format!("{name} of {}", place(node)), &dims, floats)
}

/// Whether a node is the operator `op` of a domain.
pub(super) fn is(node: &proto::Node, domain: &str, op: &str) -> bool {
    node.op_type == op && domain_of(node) == domain
}

/// The domain, of which ONNX's own has two names.
pub(super) fn domain_of(node: &proto::Node) -> &str {
    if node.domain == "ai.onnx" {
        ""
    } else {
        &node.domain
    }
}

/// How errors call a node.
pub(super) fn place(node: &proto::Node) -> String {
    let name = if node.name.is_empty() {
        node.output.first().map_or("", |output| output)
    } else {
        &node.name
    };
    format!("ONNX node {name:?} ({})", node.op_type)
}

/// Operand `index` of a node.
pub(super) fn input(node: &proto::Node, index: usize) -> Result<&str> {
    let missing = || {
        Error::new(
            ErrorKind::Parse,
            place(node),
            format!("operand {index}"),
            format!("{} operands", node.input.len()),
        )
    };
    node.input
        .get(index)
        .map(|name| &**name)
        .filter(|name| !name.is_empty())
        .ok_or_else(missing)
}

/// An attribute, which must be of a type.
pub(super) fn attribute<'g>(
    node: &'g proto::Node,
    name: &str,
    kind: i32,
) -> Result<Option<&'g proto::Attribute>> {
    match node
        .attribute
        .iter()
        .find(|attribute| attribute.name == name)
    {
        // Old files do not say the type.
        Some(attribute) if ![0, kind].contains(&attribute.r#type) => {
            let given = format!("type {}", attribute.r#type);
            Err(Error::new(
                ErrorKind::Parse,
                format!("{name} of {}", place(node)),
                format!("an attribute of type {kind}"),
                given,
            ))
        }
        found => Ok(found),
    }
}

/// An integer.
pub(super) fn int(node: &proto::Node, name: &str) -> Result<Option<i64>> {
    Ok(attribute(node, name, proto::ATTRIBUTE_INT)?.map(|attribute| attribute.i))
}

/// A number, or what ONNX says it is where it is missing.
pub(super) fn float(node: &proto::Node, name: &str) -> Result<f32> {
    if let Some(attribute) = attribute(node, name, proto::ATTRIBUTE_FLOAT)? {
        return Ok(attribute.f);
    }
    Ok(match (&*node.op_type, name) {
        ("LeakyRelu", "alpha") => 0.01,
        ("HardSigmoid", "alpha") => 0.2,
        ("HardSigmoid", "beta") => 0.5,
        ("Selu", "alpha") => 1.673_263_2,
        ("Selu", "gamma") => 1.050_701,
        ("Shrink", "lambd") => 0.5,
        ("Shrink", "bias") => 0.0,
        (_, "epsilon") => 1e-5,
        ("BatchNormalization", "momentum") => 0.9,
        // Of Elu, Celu, Swish, ThresholdedRelu, Gemm.
        (_, "alpha" | "beta") => 1.0,
        _ => {
            return Err(Error::new(
                ErrorKind::Parse,
                place(node),
                format!("the attribute {name}"),
                "nothing",
            ));
        }
    })
}

/// A text.
pub(super) fn text<'g>(node: &'g proto::Node, name: &str, default: &'g str) -> Result<&'g str> {
    let Some(attribute) = attribute(node, name, proto::ATTRIBUTE_STRING)? else {
        return Ok(default);
    };
    let wrong = |_| {
        Error::new(
            ErrorKind::Parse,
            format!("{name} of {}", place(node)),
            "UTF-8",
            attribute.s.escape_ascii(),
        )
    };
    core::str::from_utf8(&attribute.s).map_err(wrong)
}
