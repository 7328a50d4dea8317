/** States of a package version, and where each may go. What is not listed is refused. */
export const transitions = {
  submitted: ['scanning', 'errored', 'in_review', 'approved', 'rejected'],
  scanning: ['errored', 'in_review', 'approved', 'rejected'],
  errored: ['scanning', 'in_review', 'approved', 'rejected'],
  in_review: ['approved', 'rejected', 'changes_requested'],
  changes_requested: ['rejected'],
  approved: ['published'],
  rejected: [],
  published: ['deprecated', 'yanked', 'blocked'],
  deprecated: ['published', 'yanked', 'blocked'],
  yanked: ['blocked'],
  blocked: [],
} as const satisfies Record<string, readonly string[]>

export type Status = keyof typeof transitions
export const statuses = Object.keys(transitions) as Status[]

export const mayBecome = (from: Status, to: Status): boolean => (transitions[from] as readonly string[]).includes(to)

/** What the publisher can do or expects next, in one sentence. */
export const nextStep: Record<Status, string> = {
  submitted: 'The analyzer judges it now; nothing to do.',
  scanning: 'The analyzer judges it now; nothing to do.',
  errored:
    'The analyzer is out of order and tries again by itself; this says nothing about the package, nothing to do.',
  in_review: 'A reviewer decides; `expected_decision_at` says until when.',
  changes_requested: 'Change what the reason names and upload a new version.',
  approved: 'It is being published; nothing to do.',
  rejected: 'Read the reason and the findings; a new version may be uploaded.',
  published: 'Everybody can use it.',
  deprecated: 'It still works; publish or point to a newer version.',
  yanked: 'It is hidden from lists; users keep what they have.',
  blocked: 'It may not be used; contact the marketplace.',
}

export const statusOfDecision = {
  approve: 'approved',
  reject: 'rejected',
  request_changes: 'changes_requested',
} as const satisfies Record<string, Status>
