package chassis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"

	"github.com/betmakers/paddock/chassis/internal/dependency"
	"github.com/betmakers/paddock/chassis/mtls"
)

// DialRequired is Dial for a service without which this one can do nothing. It connects at once, and this service is not
// ready before it has. Where the connection is lost later, this instance leaves, if at least half of the usual number of
// instances is ready without it: the rest stays ready, and reports that it fails open, as leaving would then make
// things worse. Who the others are is what CHASSIS_FLEET_HOST resolves to; where that is not known, the instance stays.
//
// Services must not require each other in a circle: none of them would ever start.
func (a *App) DialRequired(ctx context.Context, name string) (*grpc.ClientConn, error) {
	conn, err := a.Dial(ctx, name)
	if err == nil {
		a.instance.require(name)
	}
	return conn, err
}

func (i *instance) require(name string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for n := range i.dials {
		if i.dials[n].name == name {
			i.dials[n].hard = true
		}
	}
}

// watchDials makes a health check of each connection to a service.
func (i *instance) watchDials() error {
	i.mu.Lock()
	dials := i.dials
	i.mu.Unlock()
	fleet, errs := i.fleet(), []error(nil)
	for _, d := range dials {
		check := dependency.Soft(d.name, d.conn)
		if d.hard {
			check = dependency.Hard(d.name, d.conn, fleet, i.log)
		}
		if err := i.health.Add(check); err != nil {
			errs = append(errs, fmt.Errorf("chassis: dial %q: %w", d.name, err))
		}
	}
	return errors.Join(errs...)
}

// fleet is how this instance finds out about the others.
func (i *instance) fleet() *dependency.Fleet {
	fleet := &dependency.Fleet{
		Host: i.cfg.FleetHost, Lookup: i.around.LookupHost, Own: i.around.InterfaceAddrs, Patience: i.around.Patience, Ready: i.askReady(),
	}
	if fleet.Host == "" {
		fleet.Host = i.service.Name
	}
	return fleet
}

// askReady returns a function that asks another instance, at its admin port, whether it is ready.
func (i *instance) askReady() func(ctx context.Context, address string) bool {
	_, port, _ := net.SplitHostPort(i.cfg.AdminAddr) // which is open
	scheme, transport := "http", &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: time.Second, MaxResponseHeaderBytes: 16 << 10}
	if i.cfg.AdminTLS && i.identity.source != nil {
		scheme, transport.TLSClientConfig = "https", mtls.ClientTLS(i.identity.source, i.identity.itself)
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
