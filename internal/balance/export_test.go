package balance

// Raced is whether the race detector is on.
const Raced = raced
