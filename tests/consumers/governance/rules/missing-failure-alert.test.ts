// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the expressions belong to the packages
import { missingFailureAlert } from '../../../../consumers/governance/rules/missing-failure-alert.ts'
import { packageWith, shell } from '../packages.ts'
import { ruleCases } from './cases.ts'

const watched = (monitoring: Record<string, unknown>) => packageWith([shell('make')], { monitoring })
const alert = { type: 'email', recipients: ['oncall@example.com'], on_failure: true }

ruleCases(missingFailureAlert, {
  finds: [
    watched({ metrics_enabled: false, alerts: [alert] }),
    watched({ metrics_enabled: true, alerts: [{ ...alert, on_failure: false, on_success: true }] }),
    watched({ metrics_enabled: true, alerts: [] }),
    watched({ metrics_enabled: true, logging_level: 'none', alerts: [alert] }),
  ],
  leaves: [
    watched({ metrics_enabled: true, alerts: [alert] }),
    watched({ metrics_enabled: true, logging_level: 'info', alerts: [{ ...alert, on_success: true }] }),
    packageWith([shell('make')]),
  ],
})
