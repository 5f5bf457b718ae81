"""The whole inventory as one document: what there is, and what a document would change."""
