package chassis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/betmakers/paddock/chassis/internal/dependency"
	"github.com/betmakers/paddock/chassis/mtls"
	"github.com/betmakers/paddock/health"
)

// watch adds a health check for each connection to a service.
func (d *dialer) watch(monitor *health.Monitor) error {
	fleet, errs := d.fleet(), []error(nil)
	for _, made := range d.made() {
		check := dependency.Soft(made.name, made.conn)
		if made.hard {
			check = dependency.Hard(made.name, made.conn, fleet, d.log)
		}
		if err := monitor.Add(check); err != nil {
			errs = append(errs, fmt.Errorf("chassis: dial %q: %w", made.name, err))
		}
	}
	return errors.Join(errs...)
}

// fleet returns how this instance finds the other instances.
func (d *dialer) fleet() *dependency.Fleet {
	fleet := &dependency.Fleet{
		Host: d.cfg.FleetHost, Lookup: d.around.LookupHost, Own: d.around.InterfaceAddrs, Patience: d.around.Patience, Ready: d.askReady(),
	}
	if fleet.Host == "" {
		fleet.Host = d.service
	}
	return fleet
}

// askReady returns a function that asks another instance, at its admin port, whether it is ready.
func (d *dialer) askReady() func(ctx context.Context, address string) bool {
	_, port, _ := net.SplitHostPort(d.cfg.AdminAddr) // which is open
	scheme, transport := "http", &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: time.Second, MaxResponseHeaderBytes: 16 << 10}
	if d.cfg.AdminTLS && d.identity.source != nil {
		scheme, transport.TLSClientConfig = "https", mtls.ClientTLS(d.identity.source, d.identity.itself)
	}
	client := &http.Client{Transport: transport, Timeout: time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return func(ctx context.Context, address string) bool {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(address, port)+"/readyz", nil)
		if err != nil {
			return false
		}
		response, err := client.Do(request)
		if err != nil {
			return false
		}
		_ = response.Body.Close() // the status says it all
		return response.StatusCode == http.StatusOK
	}
}
