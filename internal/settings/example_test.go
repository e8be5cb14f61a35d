package settings_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/sethvargo/go-envconfig"

	"github.com/betmakers/paddock/internal/settings"
)

func Example() {
	var cfg struct {
		Timeout time.Duration `env:"TIMEOUT, default=10s" help:"How long a bet may take."`
		Token   string        `env:"TOKEN"`
	}
	env := envconfig.MapLookuper(map[string]string{"TOKEN": "hunter2"})
	list, err := settings.Loader{Lookup: env}.Load(context.Background(), &cfg)
	for _, s := range list {
		fmt.Println(s.Name, s.Value, s.Origin)
	}
	fmt.Println(cfg.Timeout, cfg.Token, err)
	_ = settings.Usage(os.Stdout, list)
	for _, err := range settings.Unknown([]string{"TIMEOUTS=1s"}, "TIME", list) {
		fmt.Println(err)
	}
	// Output:
	// TIMEOUT 10s default
	// TOKEN •••••• environment
	// 10s hunter2 <nil>
	//   TIMEOUT (default 10s)
	//         How long a bet may take.
	//   TOKEN
	// TIMEOUTS is not a setting: did you mean TIMEOUT?
}
