package chassis

import "time"

// keepaliveTimeout is how long a pinged connection has to answer.
const keepaliveTimeout = 20 * time.Second

// leastKeepalive is what a server of the chassis allows if nobody has set CHASSIS_KEEPALIVE_MIN_TIME there.
const leastKeepalive = 20 * time.Second
