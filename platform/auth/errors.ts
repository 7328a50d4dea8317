import { defineErrors } from '../errors.ts'

export const authError = defineErrors({
  credential_missing: { status: 401, title: 'A credential is needed' },
  credential_invalid: { status: 401, title: 'The credential is not valid' },
  credential_expired: { status: 401, title: 'The API key has expired' },
  issuer_unreachable: { status: 503, title: 'The issuer of the token cannot be reached' },
  not_a_member: { status: 403, title: 'The caller belongs to no organisation' },
  forbidden: { status: 403, title: 'Not allowed for this caller' },
  org_suspended: { status: 403, title: 'The organisation is suspended' },
})
