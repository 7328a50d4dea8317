import { defineErrors } from '../../platform/errors.ts'

export const feedError = defineErrors({
  cursor_expired: { status: 410, title: 'The feed does not go back that far' },
  webhook_url_refused: { status: 400, title: 'This address is not called' },
  webhook_exists: { status: 409, title: 'There is a webhook with this address' },
  too_many_webhooks: { status: 409, title: 'The organisation has as many webhooks as it may' },
  too_many_secrets: { status: 409, title: 'The webhook has as many valid secrets as it may' },
  webhook_disabled: { status: 409, title: 'The webhook is disabled' },
})
