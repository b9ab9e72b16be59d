"""A bank's book: the CSV format, its converters, a synthetic book and the importer."""
