//! A tree of namespace fields. A node exists while it, or one below it, holds something.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::slab::Slab;

/// What a node holds.
pub(super) trait Content: Default {
    /// Holds nothing: the node may go if it has no children.
    fn is_vacant(&self) -> bool;
}

#[derive(Debug)]
struct Node<C> {
    parent: u32,
    field: Bytes,
    children: BTreeMap<Bytes, u32>,
    content: C,
}

#[derive(Debug)]
pub(super) struct Trie<C> {
    nodes: Slab<Node<C>>,
    root: u32,
}

impl<C: Content> Trie<C> {
    pub fn new() -> Self {
        let mut nodes = Slab::new();
        let (root, _) =
            nodes.insert(Node { parent: 0, field: Bytes::new(), children: BTreeMap::new(), content: C::default() });
        Self { nodes, root }
    }

    pub fn find(&self, fields: &[Bytes]) -> Option<u32> {
        let mut node = self.root;
        for field in fields {
            node = *self.nodes[node].children.get(field)?;
        }
        Some(node)
    }

    /// The node of a path, made if there is none; `prune` it if nothing comes to be held there.
    pub fn enter(&mut self, fields: &[Bytes]) -> u32 {
        let mut node = self.root;
        for field in fields {
            node = match self.nodes[node].children.get(field) {
                Some(&child) => child,
                None => {
                    let (child, _) = self.nodes.insert(Node {
                        parent: node,
                        field: field.clone(),
                        children: BTreeMap::new(),
                        content: C::default(),
                    });
                    self.nodes[node].children.insert(field.clone(), child);
                    child
                }
            };
        }
        node
    }

    /// Every node there is on the path, from the root down.
    pub fn along<'a, 'b>(&'a self, fields: &'b [Bytes]) -> impl Iterator<Item = &'a C> + use<'a, 'b, C> {
        let below = fields.iter().scan(self.root, |node, field| {
            *node = *self.nodes[*node].children.get(field)?;
            Some(*node)
        });
        std::iter::once(self.root).chain(below).map(|node| &self.nodes[node].content)
    }

    /// Changes a node and all above it.
    pub fn each_up(&mut self, mut node: u32, mut change: impl FnMut(&mut C)) {
        loop {
            change(&mut self.nodes[node].content);
            if node == self.root {
                return;
            }
            node = self.nodes[node].parent;
        }
    }

    /// Visits a node and all below it, in the order of names; `enter` says whether to go in.
    pub fn each_down(&self, node: u32, enter: &impl Fn(&C) -> bool, visit: &mut impl FnMut(&C)) {
        let Node { content, children, .. } = &self.nodes[node];
        if enter(content) {
            visit(content);
            for &child in children.values() {
                self.each_down(child, enter, visit);
            }
        }
    }

    /// Takes a node out, and those above it, as far as nothing is held there.
    pub fn prune(&mut self, mut node: u32) {
        while node != self.root && self.nodes[node].children.is_empty() && self.nodes[node].content.is_vacant() {
            let Some(gone) = self.nodes.remove(node) else {
                return;
            };
            node = gone.parent;
            self.nodes[node].children.remove(&gone.field);
        }
    }
}

impl<C> std::ops::Index<u32> for Trie<C> {
    type Output = C;

    fn index(&self, node: u32) -> &C {
        &self.nodes[node].content
    }
}

impl<C> std::ops::IndexMut<u32> for Trie<C> {
    fn index_mut(&mut self, node: u32) -> &mut C {
        &mut self.nodes[node].content
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Content for u32 {
        fn is_vacant(&self) -> bool {
            *self == 0
        }
    }

    fn path(text: &str) -> Vec<Bytes> {
        text.split('/').map(|field| Bytes::copy_from_slice(field.as_bytes())).collect()
    }

    #[test]
    fn a_node_goes_with_the_last_thing_at_or_below_it() {
        let mut trie: Trie<u32> = Trie::new();
        let (deep, beside) = (trie.enter(&path("a/b/c")), trie.enter(&path("a/x")));
        (trie[deep], trie[beside]) = (1, 1);
        trie[deep] = 0;
        trie.prune(deep);
        assert_eq!((trie.find(&path("a/b")), trie.find(&path("a/x"))), (None, Some(beside)));
        trie[beside] = 0;
        trie.prune(beside);
        assert_eq!(trie.nodes.iter().count(), 1, "the root stays");
    }
}
