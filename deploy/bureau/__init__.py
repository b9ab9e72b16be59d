"""The outside world, simulated: five sources of data about people, in a process of its own.

It is no part of the bank, shares no table with it and knows it by an API key. It answers the same
for the same person and seed, and can be made slow, wrong or dead while it runs.
"""
