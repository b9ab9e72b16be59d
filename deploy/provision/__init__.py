"""What a bank needs once, before its services start: passwords, keys, databases and roles.

The embedded bank applies `roles` itself. For a cluster, and for Compose, the same statements and
the secrets come from `python -m deploy.provision`, which is an image of its own.
"""
