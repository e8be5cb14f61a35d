// Command overload measures what a service is still worth when it gets three times the calls that it can serve, with the
// chassis's admission control and without.
//
// The service is a process of its own, this same binary started again, bound to one core, with one method for each
// criticality and mutual TLS. All methods do the same work, of one of two shapes: pool, which waits for one of ten slots
// and holds it for 10 ms, and cpu, which computes for 2 ms. The load generator has the other core.
//
// First the peak is measured in a closed loop. Then calls start on a schedule that waits for no answer, as those of many
// independent users do: three times the peak with a deadline of 250 ms, then half of it, to see how the service recovers.
// Time counts from the scheduled start, and only that of refusals from when the call was sent. Two callers send the calls,
// one of them nine in ten. Probes run all the while, as the kubelet sends them. At last 200 calls at once meet a fresh
// process.
//
//	go run ./overload                     both shapes, with admission and without
//	go run ./overload -shape cpu          one of them
//	go run ./overload -lasts 10s          a shorter overload
//	go run ./overload -timeline           what became of the calls of each half second, too
//	go run ./overload -admission on,failsafe  failsafe-go's limiter beside it
//	go run ./overload -admission default  CHASSIS_ADMISSION is left as it is
//
// What other processes on the machine did to the figures stands in the last lines of a table: if the server waited for its
// core, or the generator was late, measure again when it is quieter.
//
// Other settings of the chassis are taken from the environment.
package main
