package chassis

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/betmakers/paddock/internal/balance"
	"github.com/betmakers/paddock/internal/contract"
)

// What holds for retries of every method. A tenth of the calls that succeed may be calls that were sent again, beside
// half of the tokens for what fails at once when a server dies.
const (
	retryTokens      = 100
	retryRatio       = .1
	retryDelay       = 50 * time.Millisecond
	retryDelayAtMost = time.Second
	retryGrowth      = 2
)

// The service config of gRPC, as far as it is used.
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

// serviceConfig returns what the contracts say of methods, in gRPC's words: deadlines, and the retries of those that may
// be repeated. No message of any method may have more than maxBytes.
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

// protoDuration writes d as JSON has a google.protobuf.Duration.
func protoDuration(d time.Duration) string {
	return fmt.Sprintf("%d.%09ds", d/time.Second, d%time.Second)
}
