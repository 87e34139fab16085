"""Ablation: which ordering sites does a scenario need, and how strong?"""
