//! Where branches begin: the values that every way from an input to a value goes through.

use super::graph::Graph;
use super::node::is;
use alloc::{collections::BTreeMap, vec, vec::Vec};

/// The values of a graph that are computed from its inputs, as a tree: above each one stands the
/// last value that all ways to it go through (its immediate dominator). At the top stands what is
/// before all inputs.
///
/// With a second pointer upward per value, of a length that depends on the depth alone (Myers
/// 1983), the last value above two others is found in logarithmic time.
#[derive(Debug)]
pub(super) struct Dominators<'g> {
    places: BTreeMap<&'g str, usize>,
    values: Vec<Above<'g>>,
}

#[derive(Clone, Copy, Debug)]
struct Above<'g> {
    value: &'g str,
    depth: usize,
    next: usize,
    jump: usize,
}

const TOP: usize = 0;

impl<'g> Dominators<'g> {
    /// Of all values but those that depend on themselves.
    pub(super) fn new(graph: &Graph<'g>) -> Self {
        let top = Above {
            value: "",
            depth: 0,
            next: TOP,
            jump: TOP,
        };
        let mut this = Self {
            places: BTreeMap::new(),
            values: vec![top],
        };
        for input in graph.inputs() {
            this.push(input, TOP);
        }
        let nodes = graph.list();
        // Of each value the nodes that wait for it, and of each node how many values it waits for.
        let mut waiting: BTreeMap<&'g str, Vec<usize>> = BTreeMap::new();
        let mut missing = vec![0_usize; nodes.len()];
        let mut ready = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            for operand in computed(graph, node).filter(|name| graph.input(name).is_none()) {
                waiting.entry(operand).or_default().push(index);
                missing[index] += 1;
            }
            if missing[index] == 0 {
                ready.push(index);
            }
        }
        while let Some(index) = ready.pop() {
            let node = &nodes[index];
            // A shape is no function of the numbers.
            let of_numbers = !is(node, "", "Shape") && !is(node, "", "Size");
            let operands = computed(graph, node).filter_map(|name| this.places.get(name).copied());
            let above = operands.reduce(|a, b| this.last_above(a, b));
            for output in node.output.iter().filter(|output| !output.is_empty()) {
                if let Some(above) = above.filter(|_| of_numbers) {
                    this.push(output, above);
                }
                for user in waiting.remove(&**output).unwrap_or_default() {
                    missing[user] -= 1;
                    if missing[user] == 0 {
                        ready.push(user);
                    }
                }
            }
        }
        this
    }

    fn push(&mut self, value: &'g str, next: usize) {
        let above = self.values[next];
        let over = self.values[above.jump];
        let equal = above.depth - over.depth == over.depth - self.values[over.jump].depth;
        self.places.insert(value, self.values.len());
        self.values.push(Above {
            value,
            depth: above.depth + 1,
            next,
            jump: if equal { over.jump } else { next },
        });
    }

    /// The lowest value that is above both or one of them.
    fn last_above(&self, a: usize, b: usize) -> usize {
        let (mut a, mut b) = if self.values[a].depth >= self.values[b].depth {
            (a, b)
        } else {
            (b, a)
        };
        let depth = self.values[b].depth;
        while self.values[a].depth > depth {
            let Above { next, jump, .. } = self.values[a];
            a = if self.values[jump].depth >= depth {
                jump
            } else {
                next
            };
        }
        while a != b {
            let (left, right) = (self.values[a], self.values[b]);
            (a, b) = if left.jump == right.jump {
                (left.next, right.next)
            } else {
                (left.jump, right.jump)
            };
        }
        a
    }

    /// The value from which all branches that meet in `value` begin. `Err` where they begin at
    /// several inputs; `None` of a value that depends on itself.
    pub(super) fn above(&self, value: &str) -> Option<Result<&'g str, ()>> {
        let next = self.values[*self.places.get(value)?].next;
        Some(if next == TOP {
            Err(())
        } else {
            Ok(self.values[next].value)
        })
    }

    /// The last value that all ways to two values go through: perhaps one of them.
    pub(super) fn common(&self, a: &str, b: &str) -> Option<&'g str> {
        let common = self.last_above(*self.places.get(a)?, *self.places.get(b)?);
        Some(self.values[common].value)
    }

    /// Whether `value` comes after `begin`, in an order in which values come after those that they
    /// are computed from.
    pub(super) fn is_after(&self, value: &str, begin: &str) -> bool {
        self.places.get(value) > self.places.get(begin)
    }
}

/// The operands of a node that are no constants.
fn computed<'g>(graph: &Graph<'g>, node: &'g super::proto::Node) -> impl Iterator<Item = &'g str> {
    node.input
        .iter()
        .map(|name| &**name)
        .filter(|name| !name.is_empty() && !graph.is_constant(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the definition: a value is above another one if no way is left without it.
    #[test]
    fn trees_of_random_graphs() {
        let mut state = 7_u64;
        let mut random = |n: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize % n
        };
        for _ in 0..200 {
            let n = 2 + random(40);
            // Each value of one or two before it, mostly near ones.
            let mut before: Vec<Vec<usize>> = vec![vec![]];
            for i in 1..n {
                let near = |random: usize| i - 1 - random.min(i - 1);
                let mut of = vec![near(random(3))];
                if random(2) == 0 {
                    of.push(near(random(9)));
                }
                before.push(of);
            }
            let names: Vec<&'static str> =
                (0..n).map(|i| alloc::format!("{i}").leak() as _).collect();
            let top = Above {
                value: "",
                depth: 0,
                next: TOP,
                jump: TOP,
            };
            let mut tree = Dominators {
                places: BTreeMap::new(),
                values: vec![top],
            };
            tree.push(names[0], TOP);
            for i in 1..n {
                let places = before[i].iter().map(|of| of + 1);
                let above = places.reduce(|a, b| tree.last_above(a, b));
                tree.push(names[i], above.unwrap_or(TOP));
            }
            let reached_without = |left_out: usize, value: usize| {
                let mut reached = vec![false; n];
                reached[0] = left_out != 0;
                for i in 1..n {
                    reached[i] = i != left_out && before[i].iter().any(|of| reached[*of]);
                }
                reached[value]
            };
            for value in 1..n {
                let above = (0..value)
                    .rev()
                    .find(|other| !reached_without(*other, value));
                let found = tree.above(names[value]);
                assert_eq!(found, above.map(|above| Ok(names[above])), "{before:?}");
            }
        }
    }
}
