"""The same question across walls: each hospital adds up its own people, and only the sum of all hospitals is ever seen."""
