"""Random numbers that a seed gives for ever, whatever Python does about its own (splitmix64)."""

MASK = (1 << 64) - 1


class Chance:
    def __init__(self, seed):
        self.state = seed & MASK

    def _next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, n):
        return self._next() % n

    def between(self, low, high):
        return low + self.below(high - low + 1)

    def of(self, things):
        return things[self.below(len(things))]

    def percent(self, p):
        return self.below(100) < p

    def some(self, things, low, high):
        """Between low and high different ones, in random order."""
        rest, got = list(things), []
        for _ in range(min(self.between(low, high), len(rest))):
            got.append(rest.pop(self.below(len(rest))))
        return got
