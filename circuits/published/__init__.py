"""Circuits from papers, and audits of their claims."""
