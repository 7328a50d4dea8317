import { defineErrors } from '../../platform/errors.ts'

export const marketplaceError = defineErrors({
  wpk_too_large: { status: 413, title: 'The package is too large' },
  bundle_too_large: { status: 413, title: 'The signature bundle is too large' },
  content_malformed: { status: 400, title: 'The content cannot be decoded' },
  signature_missing: { status: 422, title: 'The package is not signed' },
  signature_invalid: { status: 422, title: 'The signature does not match' },
  signer_not_registered: { status: 422, title: 'The signing key is not registered' },
  bundle_malformed: { status: 422, title: 'The signature bundle cannot be read' },
  wpk_malformed: { status: 400, title: 'The package is not a valid WPK' },
  name_taken: { status: 403, title: 'The name belongs to somebody else' },
  version_exists: { status: 409, title: 'This version exists with other bytes' },
  already_decided: { status: 409, title: 'The version was decided already' },
  claimed_by_another: { status: 409, title: 'Another reviewer holds this item' },
  move_refused: { status: 409, title: 'The version cannot go there from where it is' },
  own_package: { status: 403, title: 'A reviewer cannot decide on a package of its own organisation' },
  key_malformed: { status: 400, title: 'The public key cannot be used' },
  proof_invalid: { status: 422, title: 'The proof of possession does not verify' },
  signer_revoked: { status: 409, title: 'The signer was revoked before it signed' },
  key_exists: { status: 409, title: 'The key is registered already' },
  too_many_keys: { status: 409, title: 'The organisation has as many keys as it may' },
  identity_exists: { status: 409, title: 'The identity is registered already' },
})
