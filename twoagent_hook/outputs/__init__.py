"""One file a format; what they show is the payload that `payload` makes of a decision."""
