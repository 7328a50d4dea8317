/** Life of a package version; `approved` goes on to `published` by itself. */
export type WorkflowStatus =
  | 'submitted'
  | 'scanning'
  | 'errored'
  | 'in_review'
  | 'changes_requested'
  | 'approved'
  | 'rejected'
  | 'published'
  | 'deprecated'
  | 'yanked'
  | 'blocked'

export interface UploadAnswer {
  id: string
  name: string
  version: string
  /** `sha256:` and the hex digest of the exact bytes. */
  digest: string
  status: WorkflowStatus
  status_url: string
  expected_decision_at: string | null
  /** Why it stands there, what comes next, and the place in the review queue (1 is next). */
  reason?: string
  next_step?: string
  place?: number | null
}

export interface WorkflowSummary {
  id: string
  name: string
  version: string
  publisher: string
  description: string
  tags: string[]
  status: WorkflowStatus
  digest: string
  published_at: string | null
  risk_score: number | null
}

/** What `GET /wpk/{id}` answers; the server may add fields. */
export interface Workflow {
  id: string
  name: string
  version: string
  status: WorkflowStatus
  reason?: string | null
  [field: string]: unknown
}

export interface Violation {
  rule_id: string
  policy: string
  severity: 'low' | 'medium' | 'high' | 'critical'
  confidence: 'low' | 'medium' | 'high'
  /** JSON Pointer into the package. */
  pointer: string
  message: string
  remediation: string
  fingerprint: string
}

/** The analyzer's verdict; the server may add fields (its signature among them). */
export interface Verdict {
  risk_score: number
  decision: 'pass' | 'review' | 'block'
  violations: Violation[]
  [field: string]: unknown
}

export interface ReviewAnswer {
  id: string
  status: WorkflowStatus
}

/** Quantities are decimal text; a bigint is sent as text. */
export interface UsageRecord {
  /** Chosen by the caller and kept: the same id is counted once, however often it is sent. */
  id: string
  meter: string
  quantity: string | bigint
  time: string | Date
  package?: string
  dimensions?: Record<string, string>
  tenant?: string
}

export interface RejectedRecord {
  /** Place in the array given to `reportUsage`, whatever batch it travelled in. */
  index: number
  id?: string
  code: string
  pointer: string
  detail: string
}

export interface UsageReceipt {
  root: string
  count: number
}

/** What a report was answered with, as `verifyInclusion` needs it; `GET /usage/receipts/{id}` has it too. */
export interface UsageReceiptOf extends UsageReceipt {
  report_id: string
}

/** A record as it was sent; of `operation` `remove` the quantity counts against the level of its meter. */
export type SentRecord = UsageRecord & { operation?: 'add' | 'remove' }

type Placed = { place: number; path: string[] }
/**
 * What `GET /usage/receipts/{id}/proof?index=N` answers: a record with its way up to a line of an issued invoice or,
 * while none has billed it, to the root of its report. Hashes are hex, places count from 0.
 */
export type InclusionProof = { version: 1; record: Record<string, unknown>; leaf: string } & (
  | { report: Placed & UsageReceiptOf }
  | (Placed & {
      contribution: {
        report_id: string
        hour: string
        meter: string
        package: string
        dimensions: Record<string, string>
        quantity: string
        records: number
        root: string
      }
      /** `body` is the invoice as it was issued, `sha256` of these bytes. */
      invoice: Placed & { number: string; sha256: string; line_id: string; body: string }
    })
)

/** What a proof shows. */
export type ProvenUsage =
  | { by: 'report'; report_id: string; root: string }
  | {
      by: 'invoice'
      number: string
      sha256: string
      tenant: string
      line_id: string
      description: string
      amount: string
      report_id: string
      hour: string
      /** What the report added to this hour of the line. */
      quantity: string
    }

export interface UsageReport {
  report_id: string
  accepted: number
  /** Place of the report's first record in the array given, and how many it held. */
  first_index: number
  count: number
  receipt: UsageReceipt
}

export interface UsageAnswer {
  accepted: number
  rejected: RejectedRecord[]
  reports: UsageReport[]
  /** Only when everything travelled in one report. */
  report_id?: string
  receipt?: UsageReceipt
}

/** Amounts, prices and quantities are decimal text in the invoice's currency. */
export interface InvoiceLine {
  id: string
  kind: string
  meter?: string
  package?: string
  description: string
  quantity?: string
  unit_price?: string
  amount: string
  [field: string]: unknown
}

export interface Invoice {
  id: string
  number?: string
  tenant: string
  period: unknown
  status: string
  currency: string
  lines: InvoiceLine[]
  subtotal: string
  tax: string
  total: string
  credits_applied: string
  credits?: { id: string; amount: string }[]
  amount_due: string
  as_of: string
  [field: string]: unknown
}
