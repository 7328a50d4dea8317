import { row, type Tx } from '../../../platform/db.ts'
import { httpError } from '../../../platform/http/errors.ts'
import { isUuid } from '../../../platform/uuid.ts'

export type WebhookRow = {
  org: string
  id: string
  url: string
  types: string[] | null
  state: 'on' | 'disabled'
  disabled_reason: string | null
  disabled_at: Date | null
  failing_since: Date | null
  created_by: string
  created_at: Date
  pending: number
  dead: number
}

/** Secrets are in no answer but the one that makes them. */
export const WEBHOOK_COLUMNS = `w.org, w.id, w.url, w.types, w.state, w.disabled_reason, w.disabled_at, w.failing_since,
  w.created_by, w.created_at,
  (select count(*)::int from feeds.deliveries d where d.webhook_id = w.id and d.org = w.org and d.state = 'pending') as pending,
  (select count(*)::int from feeds.deliveries d where d.webhook_id = w.id and d.org = w.org and d.state = 'dead') as dead`

export const webhookText = ({ org: _org, ...webhook }: WebhookRow) => webhook

/** A webhook of the organisation. Throws 404 for what is not there, or another's. */
export async function findWebhook(tx: Tx, org: string, id: string | undefined): Promise<WebhookRow> {
  const found = isUuid(id ?? '')
    ? await row<WebhookRow>(tx, `select ${WEBHOOK_COLUMNS} from feeds.webhooks w where w.org = ? and w.id = ?`, [
        org,
        id,
      ])
    : undefined
  if (!found) throw httpError('not_found', 'no webhook with this id')
  return found
}
