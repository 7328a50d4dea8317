/**
 * What makes a process come to a point: usage reports, also with an event that nobody can read, packages from upload to
 * publication, the same while the key store is sealed, the review of packages that wait for one, private packages that are
 * handed over, sent back, sent again and approved by two, keys that are registered, used and revoked, taking packages back,
 * suspending organisations, issuing invoices, collecting them, giving credit for them, deducting from prepaid credits,
 * metering to AWS, telling usage to meters of Stripe, rebuilding a projection, replaying an issued month, calling
 * webhooks, or judging stored packages anew.
 */
export type Drive =
  | 'usage'
  | 'poison'
  | 'packages'
  | 'key-store'
  | 'reviews'
  | 'resubmissions'
  | 'keys'
  | 'withdrawals'
  | 'orgs'
  | 'issue'
  | 'payments'
  | 'credits'
  | 'wallets'
  | 'aws'
  | 'stripe-meters'
  | 'rebuild'
  | 'rerating'
  | 'webhooks'
  | 'rescans'
export type Point = {
  name: string
  drive: Drive
  /** Consumer groups that share the code; the first is enough for the short form. */
  groups?: readonly string[]
  only?: 'embedded' | 'kafka'
}

const EVERY_GROUP = ['metering', 'governance', 'marketplace', 'feeds']

/** Every place where the code calls `fault`; a test compares this list with the source. */
export const points: readonly Point[] = [
  { name: 'usage.before-produce', drive: 'usage' },
  { name: 'produce.before-commit', drive: 'usage', only: 'embedded' },
  { name: 'usage.after-produce', drive: 'usage' },
  { name: 'runner.after-prepare', drive: 'usage', groups: EVERY_GROUP },
  { name: 'runner.after-cursor', drive: 'usage', groups: EVERY_GROUP },
  { name: 'runner.after-inbox', drive: 'usage', groups: EVERY_GROUP },
  { name: 'count.after-dedupe', drive: 'usage' },
  { name: 'count.after-rollups', drive: 'usage' },
  { name: 'count.after-marks', drive: 'usage' },
  { name: 'count.after-receipt', drive: 'usage' },
  { name: 'runner.after-effects', drive: 'usage', groups: EVERY_GROUP },
  { name: 'runner.before-commit', drive: 'usage', groups: EVERY_GROUP },
  { name: 'runner.after-commit', drive: 'usage', groups: EVERY_GROUP },
  { name: 'dead-letter.after-cursor', drive: 'poison' },
  { name: 'dead-letter.before-commit', drive: 'poison' },
  { name: 'dead-letter.after-commit', drive: 'poison' },
  { name: 'refresh.after-rating', drive: 'usage' },
  { name: 'refresh.before-commit', drive: 'usage' },
  { name: 'refresh.after-commit', drive: 'usage' },
  { name: 'issue.after-number', drive: 'issue' },
  { name: 'issue.after-freeze', drive: 'issue' },
  { name: 'issue.after-posting', drive: 'issue' },
  { name: 'issue.before-commit', drive: 'issue' },
  { name: 'issue.after-commit', drive: 'issue' },
  { name: 'payments.after-plan', drive: 'payments' },
  { name: 'payments.after-begin', drive: 'payments' },
  { name: 'payments.after-item', drive: 'payments' },
  { name: 'payments.after-effect', drive: 'payments' },
  { name: 'payments.after-record', drive: 'payments' },
  { name: 'payments.after-state', drive: 'payments' },
  { name: 'payments.after-posting', drive: 'payments' },
  { name: 'payments.before-fact-commit', drive: 'payments' },
  { name: 'payments.after-fact', drive: 'payments' },
  { name: 'credit.after-posting', drive: 'credits' },
  { name: 'credit.before-commit', drive: 'credits' },
  { name: 'payments.after-credit', drive: 'credits' },
  { name: 'payments.aws-after-plan', drive: 'aws' },
  { name: 'payments.aws-after-send', drive: 'aws' },
  { name: 'payments.meters-after-plan', drive: 'stripe-meters' },
  { name: 'payments.meters-after-begin', drive: 'stripe-meters' },
  { name: 'payments.meters-after-send', drive: 'stripe-meters' },
  { name: 'credits.after-grant', drive: 'wallets' },
  { name: 'credits.after-posting', drive: 'wallets' },
  { name: 'credits.after-deduction', drive: 'wallets' },
  { name: 'upload.after-verification', drive: 'packages' },
  { name: 'upload.after-name-insert', drive: 'packages' },
  { name: 'upload.after-name', drive: 'packages' },
  { name: 'upload.after-artifact', drive: 'packages' },
  { name: 'upload.after-version', drive: 'packages' },
  { name: 'upload.after-event', drive: 'packages' },
  { name: 'upload.before-commit', drive: 'packages' },
  { name: 'upload.after-commit', drive: 'packages' },
  { name: 'record.after-signing', drive: 'packages' },
  { name: 'record.after-entry', drive: 'packages' },
  { name: 'record.before-commit', drive: 'packages' },
  { name: 'record.after-commit', drive: 'packages' },
  { name: 'waiting.after-hold', drive: 'key-store' },
  { name: 'waiting.after-version', drive: 'key-store' },
  { name: 'waiting.before-commit', drive: 'key-store' },
  { name: 'upload.after-visibility', drive: 'resubmissions' },
  { name: 'review.after-hand-over', drive: 'resubmissions' },
  { name: 'resubmit.after-version', drive: 'resubmissions' },
  { name: 'resubmit.after-decision', drive: 'resubmissions' },
  { name: 'resubmit.after-event', drive: 'resubmissions' },
  { name: 'review.after-endorsement', drive: 'resubmissions' },
  { name: 'review.after-endorsed', drive: 'resubmissions' },
  { name: 'review.after-confirmation', drive: 'resubmissions' },
  { name: 'keys.after-insert', drive: 'keys' },
  { name: 'keys.after-insert-commit', drive: 'keys' },
  { name: 'keys.after-revocation', drive: 'keys' },
  { name: 'keys.after-revocation-commit', drive: 'keys' },
  { name: 'review.after-lease', drive: 'reviews' },
  { name: 'review.after-lease-commit', drive: 'reviews' },
  { name: 'review.after-acceptance', drive: 'reviews' },
  { name: 'review.after-version', drive: 'reviews' },
  { name: 'review.after-decision', drive: 'reviews' },
  { name: 'review.before-commit', drive: 'reviews' },
  { name: 'review.after-commit', drive: 'reviews' },
  { name: 'withdrawal.after-version', drive: 'withdrawals' },
  { name: 'withdrawal.after-decision', drive: 'withdrawals' },
  { name: 'withdrawal.before-commit', drive: 'withdrawals' },
  { name: 'withdrawal.after-commit', drive: 'withdrawals' },
  { name: 'quarantine.after-row', drive: 'withdrawals' },
  { name: 'quarantine.after-decision', drive: 'withdrawals' },
  { name: 'quarantine.after-commit', drive: 'withdrawals' },
  { name: 'orgs.before-commit', drive: 'orgs' },
  { name: 'orgs.after-commit', drive: 'orgs' },
  { name: 'rescan.before-commit', drive: 'rescans' },
  { name: 'replay.before-commit', drive: 'rebuild' },
  { name: 'replay.after-commit', drive: 'rebuild' },
  { name: 'replay.before-swap', drive: 'rebuild' },
  { name: 'replay.after-swap', drive: 'rebuild' },
  { name: 'rerating.before-commit', drive: 'rerating' },
  { name: 'rerating.after-commit', drive: 'rerating' },
  { name: 'rerating.after-compare', drive: 'rerating' },
  { name: 'rerating.before-end', drive: 'rerating' },
  { name: 'webhooks.after-begin', drive: 'webhooks' },
  { name: 'webhooks.after-call', drive: 'webhooks' },
  { name: 'webhooks.after-attempt', drive: 'webhooks' },
  { name: 'webhooks.after-end', drive: 'webhooks' },
  { name: 'relay.after-produce', drive: 'packages', only: 'kafka' },
  { name: 'relay.before-commit', drive: 'packages', only: 'kafka' },
  { name: 'relay.after-commit', drive: 'packages', only: 'kafka' },
]
