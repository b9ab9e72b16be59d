"""`make compare VENDORS=folder`: vendors' models beside ours over the same labelled payments."""
