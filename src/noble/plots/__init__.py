"""Figures from results, never from models; one file for what is shown, `style` for how.

Every function returns a `matplotlib.figure.Figure` of its own, without pyplot's global state.
"""
