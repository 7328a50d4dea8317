import { defineErrors } from '../../platform/errors.ts'

export const billingError = defineErrors({
  plan_invalid: { status: 400, title: 'The plan cannot be rated' },
  package_unknown: { status: 404, title: 'No published package has this name' },
  plan_unknown: { status: 404, title: 'No plan has this id' },
  already_subscribed: { status: 409, title: 'The tenant is subscribed to this package already' },
  currency_mismatch: { status: 409, title: 'A tenant has one currency' },
  plan_version_exists: { status: 409, title: 'The plan has a version from this day already' },
  preview_invalid: { status: 400, title: 'The rehearsal cannot be run' },
  replay_invalid: { status: 400, title: 'The month cannot be replayed like this' },
  replay_queue_full: { status: 409, title: 'Too many replays are waiting' },
  period_open: { status: 409, title: 'The period still collects usage' },
})
