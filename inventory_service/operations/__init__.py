"""Operations: one long piece of work on one node. The row is the truth; the engine only watches it."""
