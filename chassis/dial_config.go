package chassis

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/betmakers/paddock/internal/balance"
	"github.com/betmakers/paddock/internal/contract"
)

// The retry limits of all methods. Retries may be a tenth of successful calls. In addition, half
// of the tokens are available for calls that fail at once when a server dies.
const (
	retryTokens      = 100
	retryRatio       = .1
	retryDelay       = 50 * time.Millisecond
	retryDelayAtMost = time.Second
	retryGrowth      = 2
)

// The parts of gRPC's service config that are used.
type (
	grpcConfig struct {
		Balancing  []map[string]struct{} `json:"loadBalancingConfig"`
		Throttling retryThrottling       `json:"retryThrottling"`
		Methods    []methodConfig        `json:"methodConfig,omitempty"`
	}
	retryThrottling struct {
		MaxTokens  int     `json:"maxTokens"`
		TokenRatio float64 `json:"tokenRatio"`
	}
	methodConfig struct {
		Name    []methodName `json:"name"`
		Timeout string       `json:"timeout,omitempty"`
		Retry   *retryPolicy `json:"retryPolicy,omitempty"`
		Request int          `json:"maxRequestMessageBytes"`
		Answer  int          `json:"maxResponseMessageBytes"`
	}
	methodName struct {
		Service string `json:"service,omitempty"`
		Method  string `json:"method,omitempty"`
	}
	retryPolicy struct {
		MaxAttempts int      `json:"maxAttempts"`
		Initial     string   `json:"initialBackoff"`
		Max         string   `json:"maxBackoff"`
		Multiplier  float64  `json:"backoffMultiplier"`
		Codes       []string `json:"retryableStatusCodes"`
	}
)

// serviceConfig returns the methods' contracts as a service config of gRPC: deadlines, and
// retries of methods that may be repeated. maxBytes limits each message.
func serviceConfig(methods []*contract.Method, maxBytes int) (string, error) {
	config := grpcConfig{
		Balancing:  []map[string]struct{}{{balance.Name: {}}},
		Throttling: retryThrottling{retryTokens, retryRatio},
		Methods:    []methodConfig{{Name: []methodName{{}}, Request: maxBytes, Answer: maxBytes}}, // of all others
	}
	for _, m := range methods {
		if m.Infrastructure() || m.Timeout <= 0 && !m.Repeatable {
			continue
		}
		service, method, _ := strings.Cut(m.Name, "/")
		c := methodConfig{Name: []methodName{{service, method}}, Request: maxBytes, Answer: maxBytes}
		if m.Timeout > 0 {
			c.Timeout = protoDuration(m.Timeout)
		}
		if m.Repeatable {
			c.Retry = &retryPolicy{
				MaxAttempts: m.MaxAttempts, Initial: protoDuration(retryDelay), Max: protoDuration(retryDelayAtMost),
				Multiplier: retryGrowth, Codes: []string{"UNAVAILABLE"},
			}
		}
		config.Methods = append(config.Methods, c)
	}
	text, err := json.Marshal(config)
	return string(text), err
}

// protoDuration formats d as the JSON of a google.protobuf.Duration.
func protoDuration(d time.Duration) string {
	return fmt.Sprintf("%d.%09ds", d/time.Second, d%time.Second)
}
