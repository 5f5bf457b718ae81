"""The program that takes a node from its first packet to an SSH port that only the worker can use.

Standard library only, and little of that: every import costs tens of milliseconds on a slow machine.
"""
