//! Nodes whose operands are constants: what they compute is a constant, too.

use super::constant::{Constant, MAX_RANK, Size, product};
use super::node::{attribute, domain_of, int, place};
use super::proto::{self, ATTRIBUTE_INTS, ATTRIBUTE_TENSOR, BOOL, FLOAT, INT32, INT64};
use crate::error::{Error, ErrorKind, Result};
use alloc::{format, string::String, vec, vec::Vec};

/// Numbers that may still be read or computed: a small file could else ask for all memory, or for
/// work without end.
#[derive(Debug)]
pub(super) struct Budget(pub(super) usize);

impl Budget {
    /// Takes as many as a tensor of these dimensions has.
    pub(super) fn take(&mut self, dims: &[usize]) -> Result<usize> {
        let count = product(dims).filter(|_| dims.len() <= MAX_RANK);
        let left = count.and_then(|count| self.0.checked_sub(count));
        let (Some(count), Some(left)) = (count, left) else {
            let expected = "computed constants of no more numbers than such a file has";
            return Err(Error::new(
                ErrorKind::Value,
                "",
                expected,
                format!("dimensions {dims:?}"),
            ));
        };
        self.0 = left;
        Ok(count)
    }
}

/// Numbers of either type, for what only moves them.
enum List {
    Reals(Vec<f64>),
    Sizes(Vec<Size>),
}

impl List {
    fn of(constant: &Constant<'_>) -> Result<Self> {
        if constant.is_real() {
            constant.reals().map(Self::Reals)
        } else {
            constant.sizes().map(Self::Sizes)
        }
    }

    /// The numbers at these places, in this order.
    fn pick(&self, places: impl Iterator<Item = usize>) -> Self {
        match self {
            Self::Reals(numbers) => Self::Reals(places.map(|at| numbers[at]).collect()),
            Self::Sizes(numbers) => Self::Sizes(places.map(|at| numbers[at]).collect()),
        }
    }

    fn constant<'g>(self, node: &proto::Node, dims: Vec<usize>, kind: i32) -> Constant<'g> {
        match self {
            Self::Reals(numbers) => Constant::computed(place(node), dims, kind, numbers),
            Self::Sizes(numbers) => Constant::of_sizes(place(node), dims, kind, numbers),
        }
    }
}

/// The constant that `node` makes of its operands, one for each of its inputs (`None` where there
/// is none); `None` for an operator that is not computed here.
pub(super) fn fold<'g>(
    node: &'g proto::Node,
    operands: &[Option<Constant<'g>>],
    budget: &mut Budget,
) -> Result<Option<Constant<'g>>> {
    if !domain_of(node).is_empty() {
        Ok(None)
    } else {
        computed(node, operands, budget).map_err(|error| error.within(place(node)))
    }
}

fn computed<'g>(
    node: &'g proto::Node,
    operands: &[Option<Constant<'g>>],
    budget: &mut Budget,
) -> Result<Option<Constant<'g>>> {
    let operand = |index: usize| {
        let missing = || {
            Error::new(
                ErrorKind::Parse,
                "",
                format!("operand {index}"),
                format!("{} operands", operands.len()),
            )
        };
        operands
            .get(index)
            .and_then(Option::as_ref)
            .ok_or_else(missing)
    };
    let optional = |index: usize| operands.get(index).and_then(Option::as_ref);
    // Axes and the like were attributes once.
    let list = |index: usize, name: &str| match optional(index) {
        Some(list) => list.axes().map(Some),
        None => Ok(attribute(node, name, ATTRIBUTE_INTS)?.map(|attribute| attribute.ints.clone())),
    };
    let constant = match &*node.op_type {
        "Constant" => node_constant(node, budget)?,
        "ConstantOfShape" => {
            let dims = dims_of(&operand(0)?.axes()?)?;
            let count = budget.take(&dims)?;
            match attribute(node, "value", ATTRIBUTE_TENSOR)?
                .and_then(|attribute| attribute.t.as_ref())
            {
                None => Constant::computed(place(node), dims, FLOAT, vec![0.0; count]),
                Some(value) => {
                    let value = Constant::of_tensor(place(node), value)?;
                    if value.len() != 1 {
                        return Err(Error::new(
                            ErrorKind::Shape,
                            "",
                            "a value of one number",
                            value.len(),
                        ));
                    }
                    List::of(&value)?
                        .pick((0..count).map(|_| 0))
                        .constant(node, dims, value.kind())
                }
            }
        }
        "Identity" | "Dropout" => operand(0)?.at(place(node)),
        "Cast" => cast(node, operand(0)?, int(node, "to")?.unwrap_or(0), budget)?,
        "Shape" => {
            let sizes = operand(0)?
                .dims()
                .iter()
                .map(|dim| Size::Known(*dim as i64))
                .collect();
            shape(node, sizes, budget)?
        }
        "Size" => Constant::of_sizes(
            place(node),
            vec![],
            INT64,
            vec![Size::Known(operand(0)?.len() as i64)],
        ),
        "Flatten" => {
            let dims = operand(0)?.dims();
            let (before, after) = dims.split_at(end(int(node, "axis")?.unwrap_or(1), dims.len())?);
            operand(0)?.shaped(
                place(node),
                vec![before.iter().product(), after.iter().product()],
            )
        }
        "Reshape" => {
            let copies = int(node, "allowzero")?.unwrap_or(0) == 0;
            let dims = reshaped(operand(0)?.dims(), &operand(1)?.axes()?, copies)?;
            operand(0)?.shaped(place(node), dims)
        }
        "Squeeze" => {
            let dims = operand(0)?.dims();
            let axes = match list(1, "axes")? {
                Some(axes) => axes
                    .iter()
                    .map(|at| axis(*at, dims.len()))
                    .collect::<Result<Vec<_>>>()?,
                None => (0..dims.len()).filter(|at| dims[*at] == 1).collect(),
            };
            if axes.iter().any(|at| dims[*at] != 1) {
                return Err(Error::new(
                    ErrorKind::Shape,
                    "",
                    "dimensions of 1 to take out",
                    format!("{dims:?}"),
                ));
            }
            let left = (0..dims.len())
                .filter(|at| !axes.contains(at))
                .map(|at| dims[at])
                .collect();
            operand(0)?.shaped(place(node), left)
        }
        "Unsqueeze" => {
            let mut dims: Vec<Option<usize>> =
                operand(0)?.dims().iter().copied().map(Some).collect();
            let axes = list(1, "axes")?.unwrap_or_default();
            if dims.len() + axes.len() > MAX_RANK {
                let given = dims.len() + axes.len();
                return Err(Error::new(
                    ErrorKind::Shape,
                    "",
                    format!("at most {MAX_RANK} dimensions"),
                    given,
                ));
            }
            insert(&mut dims, &axes, Some(1))?;
            operand(0)?.shaped(place(node), dims.into_iter().flatten().collect())
        }
        "Transpose" => {
            let x = operand(0)?;
            let order = permutation(node, x.dims().len())?;
            let dims: Vec<_> = order.iter().map(|at| x.dims()[*at]).collect();
            budget.take(&dims)?;
            let strides = strides(x.dims());
            let steps: Vec<_> = order.iter().map(|at| strides[*at]).collect();
            List::of(x)?
                .pick(walk(&dims, steps))
                .constant(node, dims, x.kind())
        }
        "Expand" => {
            let x = operand(0)?;
            let dims = broadcast(x.dims(), &dims_of(&operand(1)?.axes()?)?)?;
            budget.take(&dims)?;
            budget.take(x.dims())?;
            List::of(x)?
                .pick(walk(&dims, spread(x.dims(), dims.len())))
                .constant(node, dims, x.kind())
        }
        "Concat" => concat(node, operands, budget)?,
        "Gather" => gather(node, operand(0)?, operand(1)?, budget)?,
        "Slice" => {
            let x = operand(0)?;
            let (starts, ends) = (
                list(1, "starts")?.unwrap_or_default(),
                list(2, "ends")?.unwrap_or_default(),
            );
            let (axes, steps) = (
                list(3, "axes")?,
                optional(4).map(Constant::axes).transpose()?,
            );
            slice(node, x, &starts, &ends, axes, steps, budget)?
        }
        "ReduceProd" => {
            if operand(0)?.dims().len() != 1 {
                return Ok(None);
            }
            budget.take(operand(0)?.dims())?;
            let (sizes, keep) = (
                operand(0)?.sizes()?,
                int(node, "keepdims")?.unwrap_or(1) != 0,
            );
            let all = sizes
                .into_iter()
                .try_fold(Size::Known(1), times)
                .ok_or_else(unknown)?;
            Constant::of_sizes(
                place(node),
                if keep { vec![1] } else { vec![] },
                operand(0)?.kind(),
                vec![all],
            )
        }
        "Where" => {
            let condition = operand(0)?;
            let yes = operand(1)?;
            let no = operand(2)?;
            let dims = broadcast(&broadcast(condition.dims(), yes.dims())?, no.dims())?;
            budget.take(&dims)?;
            for operand in [condition, yes, no] {
                budget.take(operand.dims())?;
            }
            let flags = condition.integers()?;
            let walk = |of: &Constant<'_>| walk(&dims, spread(of.dims(), dims.len()));
            let places = walk(condition).zip(walk(yes).zip(walk(no)));
            match (List::of(yes)?, List::of(no)?) {
                (List::Reals(yes), List::Reals(no)) => List::Reals(
                    places
                        .map(|(c, (y, n))| if flags[c] != 0 { yes[y] } else { no[n] })
                        .collect(),
                ),
                (List::Sizes(yes), List::Sizes(no)) => List::Sizes(
                    places
                        .map(|(c, (y, n))| if flags[c] != 0 { yes[y] } else { no[n] })
                        .collect(),
                ),
                _ => return Ok(None),
            }
            .constant(node, dims, yes.kind())
        }
        "Sqrt" | "Reciprocal" | "Neg" | "Abs" | "Exp" | "Log" | "Erf" | "Tanh" | "Sigmoid"
            if operand(0)?.is_real() =>
        {
            let x = operand(0)?;
            budget.take(x.dims())?;
            let function: fn(f64) -> f64 = match &*node.op_type {
                "Sqrt" => libm::sqrt,
                "Reciprocal" => |v| 1.0 / v,
                "Neg" => |v| -v,
                "Abs" => f64::abs,
                "Exp" => libm::exp,
                "Log" => libm::log,
                "Erf" => libm::erf,
                "Tanh" => libm::tanh,
                _ => |v| 1.0 / (1.0 + libm::exp(-v)),
            };
            Constant::computed(
                place(node),
                x.dims().to_vec(),
                x.kind(),
                x.reals()?.into_iter().map(function).collect(),
            )
        }
        "Neg" => {
            budget.take(operand(0)?.dims())?;
            let sizes = operand(0)?
                .sizes()?
                .into_iter()
                .map(|v| times(v, Size::Known(-1)));
            let sizes = sizes.collect::<Option<_>>().ok_or_else(unknown)?;
            Constant::of_sizes(
                place(node),
                operand(0)?.dims().to_vec(),
                operand(0)?.kind(),
                sizes,
            )
        }
        "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Max" | "Min" | "Sum" | "Equal" => {
            let mut result = operand(0)?.at(place(node));
            for index in 1..operands.len() {
                result = pair(node, &result, operand(index)?, budget)?;
            }
            result
        }
        "MatMul" => match product_of(node, operand(0)?, operand(1)?, budget)? {
            Some(product) => product,
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    Ok(Some(constant))
}

/// The dimensions from `start` to `end`, as `Shape` gives them.
pub(super) fn shape<'g>(
    node: &proto::Node,
    sizes: Vec<Size>,
    budget: &mut Budget,
) -> Result<Constant<'g>> {
    let rank = sizes.len() as i64;
    let from_start = |at: i64| if at < 0 { at.saturating_add(rank) } else { at };
    let bound = |at: i64| from_start(at).clamp(0, rank) as usize;
    let start = bound(int(node, "start")?.unwrap_or(0));
    let end = bound(int(node, "end")?.unwrap_or(rank));
    let sizes = sizes.get(start..end).unwrap_or_default().to_vec();
    budget.take(&[sizes.len()])?;
    Ok(Constant::of_sizes(
        place(node),
        vec![sizes.len()],
        INT64,
        sizes,
    ))
}

fn node_constant<'g>(node: &'g proto::Node, budget: &mut Budget) -> Result<Constant<'g>> {
    let [attribute] = &node.attribute[..] else {
        return Err(Error::new(
            ErrorKind::Parse,
            "",
            "one attribute",
            node.attribute.len(),
        ));
    };
    match (&*attribute.name, &attribute.t, &attribute.sparse_tensor) {
        ("value", Some(tensor), _) => Constant::of_tensor(place(node), tensor),
        ("sparse_value", _, Some(tensor)) => sparse(place(node), tensor, budget),
        ("value_float", ..) => {
            Constant::of_floats(place(node), &[], core::slice::from_ref(&attribute.f))
        }
        ("value_floats", ..) => Constant::of_floats(
            place(node),
            &[attribute.floats.len() as i64],
            &attribute.floats,
        ),
        ("value_int", ..) => {
            Constant::of_ints(place(node), &[], core::slice::from_ref(&attribute.i))
        }
        ("value_ints", ..) => {
            Constant::of_ints(place(node), &[attribute.ints.len() as i64], &attribute.ints)
        }
        (name, ..) => Err(Error::new(
            ErrorKind::Incompatible,
            "",
            "a tensor or numbers",
            format!("{name:?}"),
        )),
    }
}

/// A tensor of which only the numbers that are not 0 are in the file, each with its place in the
/// whole or its indices.
pub(super) fn sparse<'g>(
    place: String,
    sparse: &proto::SparseTensor,
    budget: &mut Budget,
) -> Result<Constant<'g>> {
    let wrong = |given: &str| {
        Error::new(
            ErrorKind::Parse,
            "",
            "the places of the numbers of a sparse tensor",
            given,
        )
    };
    let dims = dims_of(&sparse.dims)?;
    let (Some(values), Some(indices)) = (&sparse.values, &sparse.indices) else {
        return Err(wrong("none"));
    };
    let values = Constant::of_tensor(place.clone(), values)?;
    let indices = Constant::of_tensor(place.clone(), indices)?;
    let numbers = values.reals::<f64>()?;
    let places = indices.integers()?;
    let mut all = vec![0.0; budget.take(&dims)?];
    let strides = strides(&dims);
    for (at, number) in numbers.iter().enumerate() {
        let flat = match *indices.dims() {
            [count] if count == numbers.len() => usize::try_from(places[at]).ok(),
            [count, rank] if count == numbers.len() && rank == dims.len() => {
                let index = places[at * rank..(at + 1) * rank]
                    .iter()
                    .zip(&dims)
                    .zip(&strides);
                index
                    .map(|((index, dim), stride)| {
                        usize::try_from(*index)
                            .ok()
                            .filter(|index| index < dim)
                            .map(|index| index * stride)
                    })
                    .sum()
            }
            _ => None,
        };
        *flat
            .and_then(|flat| all.get_mut(flat))
            .ok_or_else(|| wrong("others"))? = *number;
    }
    Ok(Constant::computed(place, dims, values.kind(), all))
}

fn cast<'g>(
    node: &proto::Node,
    x: &Constant<'g>,
    to: i64,
    budget: &mut Budget,
) -> Result<Constant<'g>> {
    let kind = i32::try_from(to).unwrap_or(0);
    let refuse = || {
        Error::new(
            ErrorKind::Incompatible,
            "",
            "a cast of constants to float, double, int64, int32 or bool",
            format!("data type {to}"),
        )
    };
    if kind == x.kind() {
        return Ok(x.at(place(node)));
    }
    budget.take(x.dims())?;
    let dims = x.dims().to_vec();
    let double = kind == proto::DOUBLE;
    match (x.is_real(), kind) {
        // To shorter floats it would have to round as they do.
        (true, FLOAT | proto::DOUBLE) => {
            Ok(Constant::computed(place(node), dims, kind, x.reals()?))
        }
        (false, FLOAT | proto::DOUBLE) => {
            let numbers = x
                .integers()?
                .into_iter()
                .map(|v| if double { v as f64 } else { (v as f32).into() })
                .collect();
            Ok(Constant::computed(place(node), dims, kind, numbers))
        }
        (true, INT64 | INT32) => {
            // Toward 0, as in C.
            let whole = |v: f64| {
                (v.abs()
                    < if kind == INT64 {
                        9.2e18
                    } else {
                        2_147_483_648.0
                    })
                .then_some(Size::Known(v as i64))
            };
            let sizes = x
                .reals::<f64>()?
                .into_iter()
                .map(whole)
                .collect::<Option<_>>();
            Ok(Constant::of_sizes(
                place(node),
                dims,
                kind,
                sizes.ok_or_else(refuse)?,
            ))
        }
        (true, BOOL) => {
            let sizes = x
                .reals::<f64>()?
                .into_iter()
                .map(|v| Size::Known((v != 0.0).into()))
                .collect();
            Ok(Constant::of_sizes(place(node), dims, kind, sizes))
        }
        (false, INT64 | INT32) => {
            let fits = |size: &Size| {
                kind == INT64 || !matches!(size, Size::Known(v) if i32::try_from(*v).is_err())
            };
            let sizes = x.sizes()?;
            if sizes.iter().all(fits) {
                Ok(Constant::of_sizes(place(node), dims, kind, sizes))
            } else {
                Err(refuse())
            }
        }
        (false, BOOL) => {
            let sizes = x
                .integers()?
                .into_iter()
                .map(|v| Size::Known((v != 0).into()))
                .collect();
            Ok(Constant::of_sizes(place(node), dims, kind, sizes))
        }
        _ => Err(refuse()),
    }
}

/// a·b; with the number of samples only 1 times it.
fn times(a: Size, b: Size) -> Option<Size> {
    match (a, b) {
        (Size::Known(a), Size::Known(b)) => a.checked_mul(b).map(Size::Known),
        (Size::Known(1), other) | (other, Size::Known(1)) => Some(other),
        _ => None,
    }
}

fn unknown() -> Error {
    let expected = "integers that 64 bits hold, and nothing computed from the number of samples";
    Error::new(ErrorKind::Incompatible, "", expected, "something else")
}

/// An operator of two constants, number by number.
fn pair<'g>(
    node: &proto::Node,
    a: &Constant<'g>,
    b: &Constant<'g>,
    budget: &mut Budget,
) -> Result<Constant<'g>> {
    let dims = broadcast(a.dims(), b.dims())?;
    budget.take(&dims)?;
    budget.take(a.dims())?;
    budget.take(b.dims())?;
    let places =
        walk(&dims, spread(a.dims(), dims.len())).zip(walk(&dims, spread(b.dims(), dims.len())));
    let op = &*node.op_type;
    match (List::of(a)?, List::of(b)?) {
        (List::Reals(x), List::Reals(y)) if op != "Equal" => {
            let function: fn(f64, f64) -> f64 = match op {
                "Add" | "Sum" => |a, b| a + b,
                "Sub" => |a, b| a - b,
                "Mul" => |a, b| a * b,
                "Div" => |a, b| a / b,
                "Pow" => libm::pow,
                "Max" => |a, b| if a.is_nan() || a > b { a } else { b },
                _ => |a, b| if a.is_nan() || a < b { a } else { b },
            };
            if a.kind() != b.kind() && op != "Pow" {
                return Err(Error::new(
                    ErrorKind::Parse,
                    "",
                    "operands of one type",
                    format!("data types {} and {}", a.kind(), b.kind()),
                ));
            }
            // For floats the nearest of the exact result: f64 has more than twice the digits.
            let numbers = places.map(|(i, j)| function(x[i], y[j])).collect();
            Ok(Constant::computed(place(node), dims, a.kind(), numbers))
        }
        (List::Sizes(x), List::Sizes(y)) => {
            let function = |a: Size, b: Size| match (op, a, b) {
                ("Equal", a, b) if a == Size::Open || b == Size::Open => None,
                ("Equal", a, b) => Some(Size::Known((a == b).into())),
                ("Mul", a, b) => times(a, b),
                ("Add" | "Sub" | "Sum", a, Size::Known(0)) | ("Div", a, Size::Known(1)) => Some(a),
                (_, Size::Known(a), Size::Known(b)) => match op {
                    "Add" | "Sum" => a.checked_add(b),
                    "Sub" => a.checked_sub(b),
                    "Div" => a.checked_div(b),
                    "Max" => Some(a.max(b)),
                    "Min" => Some(a.min(b)),
                    _ => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
                }
                .map(Size::Known),
                _ => None,
            };
            let sizes = places
                .map(|(i, j)| function(x[i], y[j]))
                .collect::<Option<_>>()
                .ok_or_else(unknown)?;
            Ok(Constant::of_sizes(
                place(node),
                dims,
                if op == "Equal" { BOOL } else { a.kind() },
                sizes,
            ))
        }
        _ => Err(Error::new(
            ErrorKind::Incompatible,
            "",
            "operands of one type that it is computed for",
            format!("data types {} and {}", a.kind(), b.kind()),
        )),
    }
}

/// A product of two matrices, such as of two layers in one; `None` of other tensors.
fn product_of<'g>(
    node: &proto::Node,
    a: &Constant<'g>,
    b: &Constant<'g>,
    budget: &mut Budget,
) -> Result<Option<Constant<'g>>> {
    let ([rows, inner], [same, cols]) = (a.dims(), b.dims()) else {
        return Ok(None);
    };
    if inner != same || !a.is_real() || a.kind() != b.kind() {
        return Err(Error::new(
            ErrorKind::Shape,
            "",
            "matrices that fit",
            format!("{:?} and {:?}", a.dims(), b.dims()),
        ));
    }
    budget.take(&[*rows, *cols])?;
    budget.take(a.dims())?;
    budget.take(b.dims())?;
    // The work is bounded, too.
    budget.take(&[rows.saturating_mul(*inner) / 64, *cols])?;
    let (x, y) = (a.reals::<f64>()?, b.reals::<f64>()?);
    let at = |i: usize, j: usize| {
        (0..*inner)
            .map(|k| x[i * inner + k] * y[k * cols + j])
            .sum()
    };
    let numbers = (0..rows * cols)
        .map(|flat| at(flat / cols, flat % cols))
        .collect();
    Ok(Some(Constant::computed(
        place(node),
        vec![*rows, *cols],
        a.kind(),
        numbers,
    )))
}

fn concat<'g>(
    node: &proto::Node,
    operands: &[Option<Constant<'g>>],
    budget: &mut Budget,
) -> Result<Constant<'g>> {
    let all: Option<Vec<_>> = operands.iter().map(Option::as_ref).collect();
    let wrong = |given: &str| {
        Error::new(
            ErrorKind::Shape,
            "",
            "tensors of one type that fit side by side",
            given,
        )
    };
    let all = all
        .filter(|all| !all.is_empty())
        .ok_or_else(|| wrong("none"))?;
    let first = all[0];
    let at = axis(int(node, "axis")?.unwrap_or(1), first.dims().len())?;
    let apart = |dims: &[usize]| (dims[..at].to_vec(), dims[at + 1..].to_vec());
    if all.iter().any(|x| {
        x.dims().len() != first.dims().len()
            || apart(x.dims()) != apart(first.dims())
            || x.kind() != first.kind()
    }) {
        return Err(wrong("others"));
    }
    let mut dims = first.dims().to_vec();
    dims[at] = all
        .iter()
        .map(|x| x.dims()[at])
        .fold(0, usize::saturating_add);
    budget.take(&dims)?;
    let outer: usize = dims[..at].iter().product();
    let pieces = all
        .iter()
        .map(|x| Ok((List::of(x)?, x.len().checked_div(outer).unwrap_or(0))))
        .collect::<Result<Vec<_>>>()?;
    let (mut reals, mut sizes) = (Vec::new(), Vec::new());
    for row in 0..outer {
        for (piece, len) in &pieces {
            match piece {
                List::Reals(numbers) => {
                    reals.extend_from_slice(&numbers[row * len..(row + 1) * len])
                }
                List::Sizes(numbers) => {
                    sizes.extend_from_slice(&numbers[row * len..(row + 1) * len])
                }
            }
        }
    }
    let list = if first.is_real() {
        List::Reals(reals)
    } else {
        List::Sizes(sizes)
    };
    Ok(list.constant(node, dims, first.kind()))
}

fn gather<'g>(
    node: &proto::Node,
    x: &Constant<'g>,
    indices: &Constant<'g>,
    budget: &mut Budget,
) -> Result<Constant<'g>> {
    let at = axis(int(node, "axis")?.unwrap_or(0), x.dims().len())?;
    let len = x.dims()[at];
    budget.take(indices.dims())?;
    let places = indices
        .integers()?
        .into_iter()
        .map(|index| axis(index, len))
        .collect::<Result<Vec<_>>>()?;
    let (before, after) = (&x.dims()[..at], &x.dims()[at + 1..]);
    let dims = [before, indices.dims(), after].concat();
    budget.take(&dims)?;
    budget.take(x.dims())?;
    let (outer, inner): (usize, usize) = (before.iter().product(), after.iter().product());
    let (places, count) = (&places, inner);
    let all = (0..outer).flat_map(move |o| {
        places
            .iter()
            .flat_map(move |p| (0..count).map(move |i| (o * len + p) * count + i))
    });
    Ok(List::of(x)?.pick(all).constant(node, dims, x.kind()))
}

fn slice<'g>(
    node: &proto::Node,
    x: &Constant<'g>,
    starts: &[i64],
    ends: &[i64],
    axes: Option<Vec<i64>>,
    steps: Option<Vec<i64>>,
    budget: &mut Budget,
) -> Result<Constant<'g>> {
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] || steps.contains(&0) {
        return Err(Error::new(
            ErrorKind::Parse,
            "",
            "as many starts, ends, axes and steps, none of them 0",
            "others",
        ));
    }
    // Of each axis its first place, its step and how many there are.
    let mut ranges: Vec<(i64, i64, usize)> = x.dims().iter().map(|dim| (0, 1, *dim)).collect();
    for (((start, end), at), step) in starts.iter().zip(ends).zip(&axes).zip(&steps) {
        let at = axis(*at, x.dims().len())?;
        let (start, count) = sliced([*start, *end, *step], x.dims()[at]);
        ranges[at] = (start, *step, count);
    }
    let dims: Vec<_> = ranges.iter().map(|range| range.2).collect();
    budget.take(&dims)?;
    budget.take(x.dims())?;
    let strides = strides(x.dims());
    let index = |mut flat: usize| {
        let mut place = 0;
        for (at, (start, step, count)) in ranges.iter().enumerate().rev() {
            place += (start + step * (flat % count) as i64) as usize * strides[at];
            flat /= count;
        }
        place
    };
    let count = dims.iter().product();
    Ok(List::of(x)?
        .pick((0..count).map(index))
        .constant(node, dims, x.kind()))
}

/// Of a slice, by steps that are not 0, from so many places: the first one, and how many they are.
pub(super) fn sliced([start, end, step]: [i64; 3], len: usize) -> (i64, usize) {
    let len = len as i64;
    let from_start = |v: i64| if v < 0 { v.saturating_add(len) } else { v };
    let (start, end) = (from_start(start), from_start(end));
    // Backward only the end may be before the first place.
    let (start, end) = if step > 0 {
        (start.clamp(0, len), end.clamp(0, len))
    } else {
        (start.min(len - 1).max(0), end.clamp(-1, len - 1))
    };
    let distance = if step > 0 { end - start } else { start - end };
    let count = if distance <= 0 || len == 0 {
        0
    } else {
        (distance as u64).div_ceil(step.unsigned_abs()) as usize
    };
    (start, count)
}

/// An axis or an index, which may count from the end.
pub(super) fn axis(at: i64, len: usize) -> Result<usize> {
    let from_start = if at < 0 {
        at.checked_add(len as i64)
    } else {
        Some(at)
    };
    from_start
        .and_then(|at| usize::try_from(at).ok())
        .filter(|at| *at < len)
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Shape,
                "",
                format!("an axis or an index among {len}"),
                at,
            )
        })
}

/// An axis, or the end of `rank` axes.
pub(super) fn end(at: i64, rank: usize) -> Result<usize> {
    if at == rank as i64 {
        Ok(rank)
    } else {
        axis(at, rank)
    }
}

/// The order of axes that a `Transpose` gives.
pub(super) fn permutation(node: &proto::Node, rank: usize) -> Result<Vec<usize>> {
    let Some(order) = attribute(node, "perm", ATTRIBUTE_INTS)? else {
        return Ok((0..rank).rev().collect());
    };
    let order = order
        .ints
        .iter()
        .map(|at| axis(*at, rank))
        .collect::<Result<Vec<_>>>()?;
    if order.len() == rank && (0..rank).all(|at| order.contains(&at)) {
        return Ok(order);
    }
    Err(Error::new(
        ErrorKind::Parse,
        "",
        format!("an order of {rank} axes"),
        format!("{order:?}"),
    ))
}

/// Puts `new` at these axes of what comes out.
pub(super) fn insert<S: Copy>(dims: &mut Vec<S>, axes: &[i64], new: S) -> Result<()> {
    let rank = dims.len() + axes.len();
    let mut axes = axes
        .iter()
        .map(|at| axis(*at, rank))
        .collect::<Result<Vec<_>>>()?;
    axes.sort_unstable();
    for at in axes {
        if at > dims.len() {
            return Err(Error::new(ErrorKind::Parse, "", "each axis once", at));
        }
        dims.insert(at, new);
    }
    Ok(())
}

fn dims_of(sizes: &[i64]) -> Result<Vec<usize>> {
    let dims: Option<Vec<_>> = sizes
        .iter()
        .map(|size| usize::try_from(*size).ok())
        .collect();
    dims.filter(|dims| dims.len() <= MAX_RANK).ok_or_else(|| {
        Error::new(
            ErrorKind::Shape,
            "",
            format!("at most {MAX_RANK} dimensions, none below 0"),
            format!("{} dimensions", sizes.len()),
        )
    })
}

/// The dimensions of a constant that is given another shape.
fn reshaped(dims: &[usize], shape: &[i64], copies: bool) -> Result<Vec<usize>> {
    let wrong = || {
        Error::new(
            ErrorKind::Shape,
            "",
            format!("as many numbers as dimensions {dims:?} have"),
            format!("{shape:?}"),
        )
    };
    let rest = shape.iter().position(|size| *size == -1);
    let mut sizes = Vec::new();
    for (at, size) in shape.iter().enumerate().take(MAX_RANK + 1) {
        sizes.push(match size {
            0 if copies => *dims.get(at).ok_or_else(wrong)?,
            -1 if Some(at) == rest => 1,
            size => usize::try_from(*size).map_err(|_| wrong())?,
        });
    }
    let (count, known) = (
        product(dims).ok_or_else(wrong)?,
        product(&sizes).ok_or_else(wrong)?,
    );
    if let Some(rest) = rest.filter(|_| known > 0) {
        sizes[rest] = count / known;
    }
    if product(&sizes) == Some(count) && sizes.len() <= MAX_RANK {
        Ok(sizes)
    } else {
        Err(wrong())
    }
}

/// The dimensions that two tensors have together.
fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let rank = a.len().max(b.len());
    let size =
        |dims: &[usize], at: usize| (at + dims.len()).checked_sub(rank).map_or(1, |at| dims[at]);
    let together = |at| match (size(a, at), size(b, at)) {
        (1, size) | (size, 1) => Some(size),
        (a, b) => (a == b).then_some(a),
    };
    let wrong = || {
        Error::new(
            ErrorKind::Shape,
            "",
            "dimensions that fit",
            format!("{a:?} and {b:?}"),
        )
    };
    (0..rank)
        .map(together)
        .collect::<Option<_>>()
        .ok_or_else(wrong)
}

/// How far apart numbers are that are neighbors along each axis.
pub(super) fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for at in (1..dims.len()).rev() {
        strides[at - 1] = strides[at] * dims[at];
    }
    strides
}

/// The strides of a tensor seen with `rank` axes, 0 along those that it is repeated on.
pub(super) fn spread(dims: &[usize], rank: usize) -> Vec<usize> {
    let own = strides(dims)
        .into_iter()
        .zip(dims)
        .map(|(stride, dim)| if *dim == 1 { 0 } else { stride });
    core::iter::repeat_n(0, rank - dims.len())
        .chain(own)
        .collect()
}

/// The places of all numbers of a tensor of these dimensions, in the order in which they lie, in
/// one of these strides.
pub(super) fn walk(dims: &[usize], strides: Vec<usize>) -> impl Iterator<Item = usize> {
    let count = product(dims).unwrap_or(0);
    (0..count).map(move |mut flat| {
        let mut place = 0;
        for (dim, stride) in dims.iter().zip(&strides).rev() {
            place += flat % dim * stride;
            flat /= dim;
        }
        place
    })
}
