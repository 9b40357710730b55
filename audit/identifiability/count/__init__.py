"""Exact and estimated numbers of valid circuits of a Boolean net."""
