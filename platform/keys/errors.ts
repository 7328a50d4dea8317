import { defineErrors } from '../errors.ts'

/** Why a key that is kept elsewhere cannot sign now. The details name no address and no credential: `/health` shows them. */
export const keyError = defineErrors({
  key_store_sealed: { status: 503, title: 'The key store is sealed' },
  key_store_unreachable: { status: 503, title: 'The key store does not answer' },
  key_store_denied: { status: 503, title: 'The key store refuses the marketplace' },
  key_missing: { status: 503, title: 'The key store has no such key' },
  key_unfit: { status: 503, title: 'The key cannot sign what it should' },
})
