package chassis

import (
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"github.com/betmakers/paddock/health"
)

// registerOwnServices registers the services of the chassis: health, and reflection in
// development.
func registerOwnServices(app *App, monitor *health.Monitor, reflect bool) {
	for _, registered := range app.services {
		monitor.AddService(registered.desc.ServiceName)
	}
	healthpb.RegisterHealthServer(app, monitor.GRPC())
	if reflect {
		reflection.Register(reflected{app})
	}
}

// reflected lists the services of the App for reflection.
type reflected struct{ *App }

func (r reflected) GetServiceInfo() map[string]grpc.ServiceInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	info := make(map[string]grpc.ServiceInfo, len(r.services))
	for _, s := range r.services {
		info[s.desc.ServiceName] = grpc.ServiceInfo{Metadata: s.desc.Metadata}
	}
	return info
}
