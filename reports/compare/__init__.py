"""Reports against reports, methods against methods, and the gates on them."""
