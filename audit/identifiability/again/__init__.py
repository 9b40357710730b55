"""The count repeated: retrained, pruned and rediscovered circuits, and their overlap."""
