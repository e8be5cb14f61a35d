package chassis

import (
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"github.com/betmakers/paddock/health"
)

// registerOwnServices adds what the chassis serves beside the service: health, and in development reflection.
func registerOwnServices(app *App, monitor *health.Monitor, reflect bool) {
	for _, registered := range app.services {
		monitor.AddService(registered.desc.ServiceName)
	}
	healthpb.RegisterHealthServer(app, monitor.GRPC())
	if reflect {
		reflection.Register(reflected{app})
	}
}

// reflected lets the reflection service list what is registered with the App.
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
