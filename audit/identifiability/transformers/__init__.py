"""Rival circuits of a transformer: search over masks."""

from circuitvar.audit.identifiability.transformers.mask_search import (
    Cut, MaskSearch, find_rivals, search_masks, top_n,
)

__all__ = ["Cut", "MaskSearch", "find_rivals", "search_masks", "top_n"]
