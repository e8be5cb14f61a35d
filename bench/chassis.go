package main

import (
	"context"
	"errors"
)

// chassisReady lists the chassis among the contenders.
const chassisReady = false

var errNoChassis = errors.New("the chassis is not wired into this benchmark yet")

// startChassisGRPC serves Echo by the chassis with everything on and returns the address of its gRPC port.
func startChassisGRPC(context.Context, setup) (string, error) { return "", errNoChassis }

// startChassisREST serves Echo by the chassis with everything on and returns the address of its REST port.
func startChassisREST(context.Context, setup) (string, error) { return "", errNoChassis }

// chassisEnv returns the settings of the chassis in the server process. What it logs goes to the process's standard
// output, which is /dev/null.
func chassisEnv(transport string) func(certDir) []string {
	return func(dir certDir) []string {
		env := []string{
			"OTEL_TRACES_SAMPLER=parentbased_traceidratio",
			"OTEL_TRACES_SAMPLER_ARG=0.1",
			"CHASSIS_LOG_FORMAT=json",
		}
		if transport == "plain" {
			return append(env, "CHASSIS_MTLS=off")
		}
		return append(env,
			"CHASSIS_MTLS=files",
			"CHASSIS_TLS_CERT_FILE="+dir.serverCert(),
			"CHASSIS_TLS_KEY_FILE="+dir.serverKey(),
			"CHASSIS_TLS_CA_FILE="+dir.ca(),
		)
	}
}
