"""Rival circuits of a transformer: search over masks."""

from circuitvar.audit.identifiability.transformers.mask_search import MaskSearch, search_masks
from circuitvar.audit.identifiability.transformers.rival_search import find_rivals, top_n

__all__ = ["MaskSearch", "find_rivals", "search_masks", "top_n"]
