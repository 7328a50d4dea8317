import { defineErrors } from '../../platform/errors.ts'

export const billingError = defineErrors({
  plan_invalid: { status: 400, title: 'The plan cannot be rated' },
  package_unknown: { status: 404, title: 'No published package has this name' },
  plan_unknown: { status: 404, title: 'No plan has this id' },
  already_subscribed: { status: 409, title: 'The tenant is subscribed to this package already' },
  currency_mismatch: { status: 409, title: 'A tenant has one currency' },
  plan_version_exists: { status: 409, title: 'The plan has a version from this day already' },
  preview_invalid: { status: 400, title: 'The rehearsal cannot be run' },
  quarantine_decided: { status: 409, title: 'The quarantine was decided already' },
  quarantine_own_package: { status: 403, title: 'A reviewer cannot decide on a package of its own organisation' },
  invoice_action_refused: { status: 409, title: 'The state of the invoice does not allow this' },
  payment_exceeds_open: { status: 409, title: 'More than is still to be paid' },
  reference_taken: { status: 409, title: 'The reference is of something else' },
  credit_invalid: { status: 400, title: 'The credit note cannot be made' },
  credit_exceeds_invoice: { status: 409, title: 'More than is left of the invoice' },
  contract_exists: { status: 409, title: 'The partner has a contract from this month already' },
  contract_in_past: { status: 409, title: 'A contract never changes months that have begun' },
  journal_unbalanced: { status: 409, title: 'The journal does not balance' },
  period_open: { status: 409, title: 'The period still collects usage' },
})
