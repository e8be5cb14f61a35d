package admission

// Scheduler is what New looks with.
var Scheduler = scheduler
