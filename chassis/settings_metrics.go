package chassis

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/betmakers/paddock/internal/catalog"
	"github.com/betmakers/paddock/internal/fault"
	"github.com/betmakers/paddock/internal/settings"
)

// settingsCollector has the settings that decide what protects the service, and what was changed
// at run time.
type settingsCollector struct {
	info          prometheus.Metric
	level, faults *prometheus.Desc
	levelNow      *slog.LevelVar
	faultSet      *fault.Set
}

func newSettingsCollector(c *configuration, around *surroundings, level *slog.LevelVar, faults *fault.Set) settingsCollector {
	info := prometheus.MustNewConstMetric(catalog.SettingsInfo.Desc(), prometheus.GaugeValue, 1,
		c.Environment, c.Authorization, c.Admission, c.source(around.getenv("SPIFFE_ENDPOINT_SOCKET")), c.AuditLog, hashOf(c.settings))
	return settingsCollector{
		info: info, level: catalog.LogLevel.Desc(), faults: catalog.FaultsInForce.Desc(), levelNow: level, faultSet: faults,
	}
}

func (c settingsCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{c.info.Desc(), c.level, c.faults} {
		ch <- desc
	}
}

func (c settingsCollector) Collect(ch chan<- prometheus.Metric) {
	ch <- c.info
	ch <- prometheus.MustNewConstMetric(c.level, prometheus.GaugeValue, float64(c.levelNow.Level()))
	ch <- prometheus.MustNewConstMetric(c.faults, prometheus.GaugeValue, float64(len(c.faultSet.Active())))
}

// hashOf returns a short hash of the settings. Instances that are meant to have the same settings
// can be compared by it. It has of secrets only whether they are set, because values are masked.
func hashOf(all []settings.Setting) string {
	const digits = 12
	hash := sha256.New()
	for _, s := range all {
		_, _ = io.WriteString(hash, s.Name+"="+s.Value+"\x00") // a hash takes everything
	}
	return hex.EncodeToString(hash.Sum(nil))[:digits]
}
