"""Card fraud as the Fraud Detection Handbook simulates it: the same world, in code of our own.

Le Borgne, Siblini, Lebichot, Bontempi, Reproducible Machine Learning for Credit Card Fraud
Detection, 2022, chapters 3 and 5. It is a yardstick with published figures, and serves no bank.
"""
