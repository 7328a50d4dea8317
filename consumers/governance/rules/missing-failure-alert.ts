import type { Finding, Rule } from './rule.ts'

/** WPK-P4-001: nobody learns that it failed. Advice only. */
export const missingFailureAlert: Rule = {
  id: 'WPK-P4-001',
  version: 1,
  name: 'monitoring or failure alert missing',
  severity: 'medium',
  about:
    '`/spec/monitoring`: metrics switched off, no logs, or no alert with `on_failure`. Metrics and one alert on failure are enough. Advice: it never holds a package by itself.',
  remediation: 'Switch the metrics on and add an alert with on_failure: true.',
  hygiene: true,
  check: ({ wpk }) => {
    const { monitoring } = wpk.spec
    // A package that says nothing of monitoring has the platform's own.
    if (monitoring === undefined) return []
    const found: Finding[] = []
    const add = (pointer: string, message: string): void => {
      found.push({ pointer, severity: 'medium', confidence: 'high', message, matched: message })
    }
    if (monitoring.metrics_enabled === false) add('/spec/monitoring/metrics_enabled', 'the metrics are switched off')
    if (/^(?:off|none|silent)$/i.test(String(monitoring.logging_level ?? '')))
      add('/spec/monitoring/logging_level', 'the logs are switched off')
    if (!(monitoring.alerts ?? []).some(({ on_failure }) => on_failure === true))
      add(
        monitoring.alerts === undefined ? '/spec/monitoring' : '/spec/monitoring/alerts',
        'no alert tells of a failure',
      )
    return found
  },
}
