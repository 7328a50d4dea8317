import { defineErrors } from '../../platform/errors.ts'

export const billingError = defineErrors({
  plan_invalid: { status: 400, title: 'The plan cannot be rated' },
  package_unknown: { status: 404, title: 'No published package has this name' },
  plan_unknown: { status: 404, title: 'No plan has this id' },
  already_subscribed: { status: 409, title: 'The tenant is subscribed to this package already' },
  currency_mismatch: { status: 409, title: 'A tenant has one currency' },
  period_open: { status: 409, title: 'The period still collects usage' },
})
