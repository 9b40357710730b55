"""Bars, and what an interval says about them."""
