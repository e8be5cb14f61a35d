package chassis

import "time"

// keepaliveTimeout is the time that a pinged peer has to answer.
const keepaliveTimeout = 20 * time.Second

// leastKeepalive is the interval that servers of the chassis allow by default, without
// CHASSIS_KEEPALIVE_MIN_TIME.
const leastKeepalive = 20 * time.Second
